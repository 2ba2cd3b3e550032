/* SPDX-License-Identifier: MIT */
/*
 * The RAM of a domain that is being built: found, mapped, cleared, filled.
 *
 *   plain        guest addresses as the architecture lays RAM out; machine
 *                memory in the largest blocks that there are
 *   static       the machine ranges that the node names, in its order, laid
 *                out like plain RAM; with direct-map at their own addresses
 *   direct-map   machine memory that is found, at its own addresses; for the control domain in
 *                few and large ranges, some of it below 4 GiB for devices that reach no further
 *
 * A block belongs to the domain and is mapped in one go, so that
 * domain_destroy() finds all of it. One build at a time takes RAM
 * (plan->filler): when memory ends, no two domains hold half of theirs.
 *
 *   bank  |.. kernel (its own alignment) | ramdisk | device tree | shared |......|
 *          all in one bank; boot protocols want kernel
 *          and ramdisk within 32 GiB, the tree in 2 MiB and 8-byte aligned
 */
#include <xen/errno.h>

#include <loam/atomic.h>
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/guest_copy.h>
#include <loam/lock.h>
#include <loam/p2m.h>

#include <arch/mmu.h>

#include "private.h"

#define CLEAR_STEP (512 * KIB) /* about 50,000 instructions, each a line of the cache */
#define COPY_STEP (256 * KIB)
#define BLOCKS_STEP 16

/* RAM on its way to the domain. */
struct piece {
    uint64_t gpa;
    mfn_t m;
    uint64_t pages;
};

/* Where byte `cursor` of RAM is in the guest's layout, and how many follow it there. */
static uint64_t layout_gpa(uint64_t cursor, uint64_t *room)
{
    const struct guest_layout *layout = arch_guest_layout();
    uint32_t bank = cursor < layout->ram_size[0] ? 0 : 1;
    uint64_t offset = bank ? cursor - layout->ram_size[0] : cursor;
    *room = layout->ram_size[bank] - offset;
    return layout->ram_base[bank].a + offset;
}

/* The next piece of static memory: b->cursor counts bytes of all ranges, b->range is the range. */
static void static_piece(struct build *b, struct piece *piece)
{
    const struct plan_domain *pd = b->pd;
    uint64_t before = 0;
    for (uint32_t i = 0; i < b->range; i++) {
        before += pd->statics[i].size;
    }
    uint64_t offset = b->cursor - before;
    uint64_t hpa_now = pd->statics[b->range].start + offset;
    uint64_t size = pd->statics[b->range].size - offset;
    uint64_t room = UINT64_MAX;
    uint64_t gpa_now = pd->config.direct_map ? hpa_now : layout_gpa(b->cursor, &room);

    /* Up to the next 1 GiB of entries, or of 2 MiB where only pages can be mapped. */
    uint64_t step = (gpa_now ^ hpa_now) % LARGE_PAGE == 0 ? GIB : LARGE_PAGE;
    size = MIN(MIN(size, room), step - gpa_now % step);
    *piece = (struct piece){ gpa_now, hpa_to_mfn(hpa(hpa_now)), size >> PAGE_SHIFT };
    if (offset + size == pd->statics[b->range].size) {
        b->range++;
    }
}

static uint64_t missing_pages(const struct build *b)
{
    return (b->pd->memory - b->cursor) >> PAGE_SHIFT;
}

/* A block from the allocator, the largest there is. False: there is none. */
static bool found_piece(struct build *b, struct piece *piece)
{
    uint64_t room = UINT64_MAX;
    bool direct = b->pd->config.direct_map;
    piece->gpa = direct ? 0 : layout_gpa(b->cursor, &room);
    uint64_t most = MIN(missing_pages(b), room >> PAGE_SHIFT);
    for (;; b->order--) {
        piece->pages = MIN(most, UINT64_C(1) << b->order);
        if (!direct) {
            /* Naturally aligned in both address spaces: one large entry. */
            uint32_t order = ctz64(piece->gpa >> PAGE_SHIFT);
            order = MIN(order, ilog2(piece->pages));
            piece->pages = UINT64_C(1) << order;
        }
        piece->m = frame_alloc_pages(b->pd->hv, piece->pages, 0);
        if (!mfn_is_none(piece->m)) {
            piece->gpa = direct ? mfn_to_hpa(piece->m).a : piece->gpa;
            return true;
        }
        if (b->order == 0) {
            return false;
        }
    }
}

/*
 * Which of two runs of free frames is better for the control domain: one that holds all that is
 * missing, then the larger one; but the first below 4 GiB, if there is any, and the lowest of
 * equals.
 */
static bool run_is_better(const struct build *b, const struct piece *x, const struct piece *best)
{
    uint64_t missing = missing_pages(b);
    bool low = x->m.n < 4 * GIB >> PAGE_SHIFT, best_low = best->m.n < 4 * GIB >> PAGE_SHIFT;
    if (b->nr_banks == 0 && best->pages != 0 && low != best_low) {
        return low;
    }
    return MIN(x->pages, missing) > MIN(best->pages, missing);
}

/* The best run of free frames that begins at a large page, in part; pages 0: there is none. */
static bool low_piece(struct build *b, struct piece *piece)
{
    struct hv *hv = b->pd->hv;
    struct piece best = { 0 };
    mfn_t m = mfn(0);
    uint64_t pages;
    for (; frames_next_run(hv, &m, &pages); m = mfn_add(m, pages)) {
        struct piece x = { .m = mfn(ALIGN_UP(m.n, LARGE_PAGE >> PAGE_SHIFT)) };
        uint64_t skipped = x.m.n - m.n;
        x.pages = pages > skipped ? pages - skipped : 0;
        if (x.pages && run_is_better(b, &x, &best)) {
            best = x;
        }
    }
    best.pages = MIN(best.pages, missing_pages(b));
    best.gpa = mfn_to_hpa(best.m).a;
    *piece = best;
    return best.pages != 0 && frame_alloc_at(hv, best.m, best.pages) == 0;
}

static bool bank_add(struct build *b, const struct piece *piece)
{
    struct build_bank *last = b->nr_banks ? &b->bank[b->nr_banks - 1] : NULL;
    if (last && last->gpa + last->size == piece->gpa) {
        last->size += piece->pages << PAGE_SHIFT;
        return true;
    }
    if (b->nr_banks == PLAN_BANKS_MAX) {
        return false;
    }
    b->bank[b->nr_banks++] = (struct build_bank){ piece->gpa, piece->pages << PAGE_SHIFT };
    return true;
}

static void piece_assign(struct build *b, const struct piece *piece, bool assign)
{
    mfn_t m = piece->m;
    for (uint64_t left = piece->pages; left != 0;) {
        uint32_t order = MIN(ilog2(left), (uint32_t)FRAME_ORDER_MAX);
        if (assign) {
            frame_assign(b->pd->hv, m, order, b->d);
        } else {
            frame_unassign(b->pd->hv, m, order);
        }
        m = mfn_add(m, UINT64_C(1) << order);
        left -= UINT64_C(1) << order;
    }
}

/* Makes piece the domain's; undone as a whole when it cannot be mapped. */
static int piece_add(struct build *b, const struct piece *piece)
{
    piece_assign(b, piece, true);
    int rc = p2m_map(b->d, gpa_to_gfn(gpa(piece->gpa)), piece->m, piece->pages, P2M_RAM_RW);
    if (rc == 0 && bank_add(b, piece)) {
        spin_lock(&b->d->lock);
        b->d->pages += piece->pages;
        spin_unlock(&b->d->lock);
        b->cursor += piece->pages << PAGE_SHIFT;
        return 0;
    }
    if (rc == 0) {
        /* Mapped: domain_destroy() gives it back. */
        return plan_warn(b->pd, NULL, "direct-map", "free memory is in more than %u ranges",
                         PLAN_BANKS_MAX);
    }
    piece_assign(b, piece, false);
    if (b->pd->nr_statics == 0) {
        frame_free_pages(b->pd->hv, piece->m, piece->pages);
    }
    return build_fail(b, "memory", rc);
}

static int ram_short(const struct build *b)
{
    return plan_warn(b->pd, NULL, "memory", "%lu KiB are not free, there are %lu KiB",
                     b->pd->memory / KIB, b->pd->hv->frames.avail * (PAGE_SIZE / KIB));
}

int build_ram_check(struct build *b)
{
    bool is_short = b->pd->nr_statics == 0 && b->pd->hv->frames.avail < missing_pages(b);
    return is_short ? ram_short(b) : 0;
}

int build_ram(struct build *b)
{
    struct plan *plan = b->pd->hv->plan;
    struct build *none = NULL;
    if (atomic_load_relaxed(&plan->filler) != b &&
        !atomic_compare_exchange(&plan->filler, &none, b)) {
        return -XEN_EAGAIN;
    }
    int rc = build_ram_check(b);
    for (uint32_t i = 0; rc == 0 && i < BLOCKS_STEP && missing_pages(b) != 0; i++) {
        struct piece piece;
        if (b->pd->nr_statics != 0) {
            static_piece(b, &piece);
        } else if (!(b->pd->dom0 ? low_piece(b, &piece) : found_piece(b, &piece))) {
            return ram_short(b);
        }
        rc = piece_add(b, &piece);
    }
    if (rc) {
        return rc;
    }
    if (missing_pages(b) != 0) {
        return -XEN_EAGAIN;
    }
    build_ram_leave(b);
    return 0;
}

void build_ram_leave(struct build *b)
{
    struct build *self = b;
    (void)atomic_compare_exchange(&b->pd->hv->plan->filler, &self, NULL);
}

int build_ram_clear(struct build *b)
{
    uint64_t offset = b->cursor;
    uint32_t i = 0;
    while (i < b->nr_banks && offset >= b->bank[i].size) {
        offset -= b->bank[i++].size;
    }
    if (i == b->nr_banks) {
        return 0;
    }
    uint64_t at = b->bank[i].gpa + offset;
    uint64_t size = MIN(b->bank[i].size - offset, CLEAR_STEP - at % CLEAR_STEP);
    int rc = guest_phys_clear(b->d, gpa(at), size, true);
    if (rc) {
        return build_fail(b, "memory", rc);
    }
    b->cursor += size;
    return -XEN_EAGAIN;
}

/* Places kernel, ramdisk and tree in a bank; false when they do not fit. */
static bool place_in(struct build *b, const struct build_bank *bank)
{
    const struct kernel_image *image = &b->pd->image;
    uint64_t end = bank->gpa + bank->size;
    uint64_t align = MAX(image->align, PAGE_SIZE);
    uint64_t memory = MAX(image->memory, b->pd->module[PLAN_KERNEL].size);
    uint64_t ramdisk = b->pd->module[PLAN_RAMDISK].size;

    uint64_t at = ALIGN_UP(bank->gpa, align);
    if (at < bank->gpa || at >= end || image->offset > end - at ||
        memory > end - at - image->offset) {
        return false;
    }
    b->kernel_gpa = at + image->offset;
    at = ALIGN_UP(b->kernel_gpa + memory, PAGE_SIZE);
    if (at > end || ramdisk > end - at) {
        return false;
    }
    b->ramdisk_gpa = at;
    at = ALIGN_UP(at + ramdisk, PAGE_SIZE);
    /* The tree does not cross 2 MiB: kernels map it with one entry. */
    if (at / LARGE_PAGE != (at + b->fdt_max - 1) / LARGE_PAGE) {
        at = ALIGN_UP(at, LARGE_PAGE);
    }
    b->fdt_gpa = at;
    b->shared_gpa = at + b->fdt_max;
    return at <= end && b->fdt_max + guest_shared_size(b->pd) <= end - at;
}

int build_place(struct build *b)
{
    b->fdt_max = guest_fdt_size(b->pd);
    for (uint32_t i = 0; i < b->nr_banks; i++) {
        if (place_in(b, &b->bank[i])) {
            return 0;
        }
    }
    b->fdt_max = 0;
    return plan_warn(
        b->pd, NULL, "memory", "%lu KiB is too little for kernel (%lu KiB) and ramdisk (%lu KiB)",
        b->pd->memory / KIB, MAX(b->pd->image.memory, b->pd->module[PLAN_KERNEL].size) / KIB,
        b->pd->module[PLAN_RAMDISK].size / KIB);
}

/* Copies the next part of a module to guest-physical `to`. */
static int copy_module(struct build *b, const struct plan_range *module, uint64_t to)
{
    struct hv *hv = b->pd->hv;
    uint64_t end = MIN(b->cursor + COPY_STEP, module->size);
    while (b->cursor < end) {
        uint64_t from = module->start + b->cursor;
        uint64_t part = MIN(end - b->cursor, PAGE_SIZE - from % PAGE_SIZE);
        uint8_t *page = frame_map_local(hv, hpa_to_mfn(hpa(from)));
        int rc = guest_phys_write(b->d, gpa(to + b->cursor), page + from % PAGE_SIZE, (size_t)part,
                                  true);
        frame_unmap(hv, page);
        if (rc) {
            return build_fail(b, "memory", rc);
        }
        b->cursor += part;
    }
    return b->cursor < module->size ? -XEN_EAGAIN : 0;
}

int build_kernel(struct build *b)
{
    return copy_module(b, &b->pd->module[PLAN_KERNEL], b->kernel_gpa);
}

/*
 * The boot protocol: no stale instructions of whoever had the frames before
 * may be in any instruction cache. Only the kernel's own bytes matter.
 */
int build_kernel_code(struct build *b)
{
    struct hv *hv = b->pd->hv;
    uint64_t size = b->pd->module[PLAN_KERNEL].size;
    gpa_t at = gpa(b->kernel_gpa + b->cursor);
    uint32_t order;
    mfn_t m = p2m_lookup(b->d, gpa_to_gfn(at), NULL, &order);
    uint64_t part = MIN(size - b->cursor, COPY_STEP);
    part = MIN(part, (PAGE_SIZE << order) - at.a % (PAGE_SIZE << order));
    uint8_t *page = frame_map_local(hv, m);
    arch_cache_clean_code(page + at.a % PAGE_SIZE, (size_t)part);
    frame_unmap(hv, page);
    b->cursor += part;
    return b->cursor < size ? -XEN_EAGAIN : 0;
}

int build_ramdisk(struct build *b)
{
    return copy_module(b, &b->pd->module[PLAN_RAMDISK], b->ramdisk_gpa);
}

int build_fdt_store(struct build *b)
{
    int rc = guest_phys_write(b->d, gpa(b->fdt_gpa), b->fdt, b->fdt_size, true);
    return rc ? build_fail(b, "memory", rc) : 0;
}
