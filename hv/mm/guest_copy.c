/* SPDX-License-Identifier: MIT */
/*
 * Copies between the hypervisor and a guest's memory.
 *
 * The only file in which a guest's address becomes a pointer. For each piece of a copy,
 * p2m.lock is held from the translation to the last byte, so that the frame
 * cannot be unmapped and given to somebody else meanwhile, and so that a block
 * that is being split does not look like a hole. Hypercall arguments lie in one page
 * as a rule, and then there is one piece.
 *
 * What is read-only for the guest is not written, and devices are never touched.
 * Locks: p2m.lock. Next: mm/p2m.c, arch_guest_reach() in arch/vcpu.h.
 */
#include <arch/mmu.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/guest_copy.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

/* Longest piece, for the sake of who waits for p2m.lock. */
#define PIECE_MAX (UINT64_C(256) << 10)

/* [addr, addr + size) does not wrap around. */
static bool range_is_valid(uint64_t addr, uint64_t size)
{
    return size == 0 || size - 1 <= UINT64_MAX - addr;
}

/* Memory that a guest may read (write): no device. */
static bool is_accessible(enum p2m_type type, bool write)
{
    return type != P2M_INVALID && type != P2M_MMIO_DIRECT && !(write && p2m_type_is_readonly(type));
}

/*
 * Address of the guest's RAM at a, NULL where it may not be accessed. *run is
 * shortened to the bytes that follow there in one piece. Locks: p2m.lock held.
 */
static char *ram_at(struct domain *d, gpa_t a, bool write, uint64_t *run)
{
    enum p2m_type type = P2M_INVALID;
    uint32_t order = 0;
    mfn_t m = p2m_lookup_locked(d, gpa_to_gfn(a), &type, &order);

    if (mfn_is_none(m) || !is_accessible(type, write)) {
        return NULL;
    }
    uint64_t block = PAGE_SIZE << order;

    *run = MIN(*run, block - (a.a & (block - 1)));
    return (char *)frame_map_local(d->hv, m) + (a.a & ~PAGE_MASK);
}

void *guest_phys_reach(struct domain *d, gpa_t a, bool write)
{
    uint64_t run = 1;

    return ram_at(d, a, write, &run);
}

/* Arguments are a few words, aligned: those without a call. size is not 0. */
static __inline_hot void copy_bytes(void *to, const void *from, size_t size)
{
    uint64_t bits = (uintptr_t)to | (uintptr_t)from;
    uint64_t *t = to;
    const uint64_t *f = from;

    if (size == sizeof(uint32_t) && (bits & 3) == 0) {
        *(uint32_t *)to = *(const uint32_t *)from; /* a port, and the call is made often */
        return;
    }
    if (unlikely(((bits | size) & 7) != 0 || size > 64)) {
        memcpy(to, from, size);
        return;
    }
    do {
        *t++ = *f++;
        size -= sizeof(*t);
    } while (size != 0);
}

static __noinline int refuse_copy(uint64_t addr, size_t size)
{
    return refuse(-XEN_EFAULT, "memory that is not there, or may not be written", addr, size);
}

/* One page, or less, between buf and a virtual address. Locks: takes p2m.lock. */
static __inline_hot int copy_piece(struct vcpu *v, void *buf, uint64_t addr, size_t size,
                                   bool write)
{
    struct domain *d = v->domain;

    spin_lock(&d->p2m.lock);
    char *ram = arch_guest_reach(v, addr, write);

    if (likely(ram != NULL)) {
        copy_bytes(write ? ram : buf, write ? buf : ram, size);
        frame_unmap(d->hv, ram);
    }
    spin_unlock(&d->p2m.lock);
    return likely(ram != NULL) ? 0 : refuse_copy(addr, size);
}

static __noinline int copy_pieces(struct vcpu *v, void *buf, uint64_t addr, size_t size, bool write)
{
    char *at = buf;
    int rc = range_is_valid(addr, size) ? 0 : refuse_copy(addr, size);

    while (size != 0 && rc == 0) {
        size_t piece = (size_t)MIN(size, PAGE_SIZE - (addr & ~PAGE_MASK));

        rc = copy_piece(v, at, addr, piece, write);
        at += piece;
        addr += piece;
        size -= piece;
    }
    return rc;
}

static __inline_hot int copy_virtual(struct vcpu *v, void *buf, uint64_t addr, size_t size,
                                     bool write)
{
    if (likely(size - 1 < PAGE_SIZE - (addr & ~PAGE_MASK))) {
        return copy_piece(v, buf, addr, size, write);
    }
    return copy_pieces(v, buf, addr, size, write);
}

int guest_copy_all(struct vcpu *v, const struct guest_piece *p, uint32_t nr)
{
    struct domain *d = v->domain;
    uint64_t at = 1; /* of the page that was translated; 1: none */
    bool writable = false;
    char *page = NULL;
    int rc = 0;

    spin_lock(&d->p2m.lock);
    for (uint32_t i = 0; i < nr && rc == 0; i++, p++) {
        uint64_t offset = p->addr & ~PAGE_MASK;

        if (unlikely(p->size > PAGE_SIZE - offset)) {
            /* More than one page: a copy of its own. */
            spin_unlock(&d->p2m.lock);
            rc = copy_pieces(v, p->buf, p->addr, p->size, p->write);
            spin_lock(&d->p2m.lock);
            at = 1;
            continue;
        }
        if (p->addr - offset != at || (p->write && !writable)) {
            page = arch_guest_reach(v, p->addr - offset, p->write);
            at = p->addr - offset;
            writable = p->write;
        }
        if (likely(page != NULL)) {
            copy_bytes(p->write ? page + offset : p->buf, p->write ? p->buf : page + offset,
                       p->size);
            frame_unmap(d->hv, page);
        }
        rc = likely(page != NULL) ? 0 : -XEN_EFAULT;
    }
    spin_unlock(&d->p2m.lock);
    return rc;
}

int guest_copy_from(struct vcpu *v, void *buf, struct guest_ref from, size_t size)
{
    return copy_virtual(v, buf, from.addr, size, false);
}

int guest_copy_to(struct vcpu *v, struct guest_ref to, const void *buf, size_t size)
{
    return copy_virtual(v, (void *)(uintptr_t)buf, to.addr, size, true);
}

int guest_phys_read_locked(struct domain *d, void *buf, gpa_t from, size_t size)
{
    uint64_t run = size;
    char *ram = ram_at(d, from, false, &run);

    if (ram == NULL || run != size) {
        return -XEN_EFAULT;
    }
    memcpy(buf, ram, size);
    frame_unmap(d->hv, ram);
    return 0;
}

int guest_phys_read(struct domain *d, void *buf, gpa_t from, size_t size)
{
    char *at = buf;

    if (!range_is_valid(from.a, size)) {
        return -XEN_EFAULT;
    }
    while (size != 0) {
        uint64_t run = MIN(size, PIECE_MAX);

        spin_lock(&d->p2m.lock);
        char *ram = ram_at(d, from, false, &run);
        if (ram == NULL) {
            spin_unlock(&d->p2m.lock);
            return -XEN_EFAULT;
        }
        memcpy(at, ram, (size_t)run);
        frame_unmap(d->hv, ram);
        spin_unlock(&d->p2m.lock);
        at += run;
        from = gpa_add(from, run);
        size -= (size_t)run;
    }
    return 0;
}

int guest_phys_write(struct domain *d, gpa_t to, const void *buf, size_t size, bool clean)
{
    const char *at = buf;

    if (!range_is_valid(to.a, size)) {
        return -XEN_EFAULT;
    }
    while (size != 0) {
        uint64_t run = MIN(size, PIECE_MAX);

        spin_lock(&d->p2m.lock);
        char *ram = ram_at(d, to, true, &run);
        if (ram == NULL) {
            spin_unlock(&d->p2m.lock);
            return -XEN_EFAULT;
        }
        memcpy(ram, at, (size_t)run);
        if (clean) {
            arch_cache_clean(ram, (size_t)run);
        }
        frame_unmap(d->hv, ram);
        spin_unlock(&d->p2m.lock);
        at += run;
        to = gpa_add(to, run);
        size -= (size_t)run;
    }
    return 0;
}

/* Clears [p, p + size): its whole pages the fast way. */
static void clear_ram(char *p, uint64_t size, bool clean)
{
    if (IS_ALIGNED((uintptr_t)p | size, PAGE_SIZE)) {
        arch_clear_pages(p, (size_t)size, clean);
        return;
    }
    memset(p, 0, (size_t)size);
    if (clean) {
        arch_cache_clean(p, (size_t)size);
    }
}

int guest_phys_clear(struct domain *d, gpa_t to, uint64_t size, bool clean)
{
    if (!range_is_valid(to.a, size)) {
        return -XEN_EFAULT;
    }
    while (size != 0) {
        uint64_t to_page = PAGE_SIZE - (to.a & ~PAGE_MASK);
        /* Up to a page boundary first, then whole pages, then the rest. */
        uint64_t run = to_page != PAGE_SIZE || size < PAGE_SIZE
                           ? MIN(size, to_page)
                           : MIN(ALIGN_DOWN(size, PAGE_SIZE), PIECE_MAX);

        spin_lock(&d->p2m.lock);
        char *ram = ram_at(d, to, true, &run);
        if (ram == NULL) {
            spin_unlock(&d->p2m.lock);
            return -XEN_EFAULT;
        }
        clear_ram(ram, run, clean);
        frame_unmap(d->hv, ram);
        spin_unlock(&d->p2m.lock);
        to = gpa_add(to, run);
        size -= run;
    }
    return 0;
}

int guest_share(struct domain *d, gpa_t at, size_t size, struct guest_shared *s)
{
    uint64_t run = size;

    if (!IS_ALIGNED(at.a | size, 8) || size > PAGE_SIZE - (at.a & ~PAGE_MASK)) {
        return -XEN_EINVAL;
    }
    spin_lock(&d->p2m.lock);
    char *bytes = ram_at(d, at, true, &run);
    if (bytes != NULL) {
        frame_get(d->hv, frame_of(d->hv, bytes));
    }
    spin_unlock(&d->p2m.lock);
    if (bytes == NULL) {
        return -XEN_EFAULT;
    }
    guest_unshare(d, s);
    s->at = bytes;
    return 0;
}

void guest_share_frame(struct domain *d, mfn_t m, struct guest_shared *s)
{
    frame_get(d->hv, m);
    guest_unshare(d, s);
    s->at = frame_map_local(d->hv, m);
}

void guest_unshare(struct domain *d, struct guest_shared *s)
{
    if (guest_is_shared(s)) {
        mfn_t m = frame_of(d->hv, s->at);

        frame_unmap(d->hv, s->at);
        s->at = NULL;
        frame_put(d->hv, m);
    }
}
