/* SPDX-License-Identifier: MIT */
/*
 * Copies between the hypervisor and a guest's memory. A guest address never
 * becomes a pointer outside mm/guest_copy.c.
 */
#ifndef LOAM_GUEST_COPY_H
#define LOAM_GUEST_COPY_H

#include <loam/types.h>

struct domain;
struct vcpu;

/* An address as a hypercall gives it: virtual in the issuing vCPU on some architectures. */
struct guest_ref {
    uint64_t addr;
};

/*
 * Copies size bytes between buf and the guest of v, which must be the vCPU
 * loaded on this CPU. Crosses pages. Locks: p2m of v's domain, also around
 * arch_guest_reach(). Errors: -XEN_EFAULT when a byte is not RAM that the
 * guest itself may read (write); bytes before it may be copied.
 */
int __must_check guest_copy_from(struct vcpu *v, void *buf, struct guest_ref from, size_t size);
int __must_check guest_copy_to(struct vcpu *v, struct guest_ref to, const void *buf, size_t size);

/* One of several short copies: to the guest from buf (write), or the other way. */
struct guest_piece {
    void *buf;
    uint64_t addr;
    size_t size; /* not 0 */
    bool write;
};

/*
 * The same for each piece, in order; those in a page that the piece before it was in are not
 * translated again: what is written comes first. Errors: as above, pieces before it are copied.
 */
int __must_check guest_copy_all(struct vcpu *v, const struct guest_piece *p, uint32_t nr);

/*
 * The same by guest-physical address, for any domain from any CPU (boot, SBI,
 * device models). `clean` makes the bytes visible to a guest that runs with
 * its caches off. Locks: p2m of d. Errors: -XEN_EFAULT, as above.
 */
int __must_check guest_phys_read(struct domain *d, void *buf, gpa_t from, size_t size);
/*
 * Where this CPU finds the byte at a of d, and what follows it up to the end of its page; NULL:
 * it is no memory that the guest may read (write). Locks: p2m.lock of d is held, and
 * keeps the page.
 */
void *guest_phys_reach(struct domain *d, gpa_t a, bool write);
/* The same of what lies in one page, with p2m.lock held. */
int __must_check guest_phys_read_locked(struct domain *d, void *buf, gpa_t from, size_t size);
int __must_check guest_phys_write(struct domain *d, gpa_t to, const void *buf, size_t size,
                                  bool clean);
int __must_check guest_phys_clear(struct domain *d, gpa_t to, uint64_t size, bool clean);

/*
 * Bytes of one page that a guest and the hypervisor read and write at the same time: of the
 * guest's RAM, or of a frame that the hypervisor shares (P2M_SHARED). Opaque outside of
 * this header and mm/guest_copy.c: only the accessors below touch the bytes, each
 * access whole, and what was read is a copy that the guest cannot change any more.
 */
struct guest_shared {
    void *at; /* NULL: none */
};

/*
 * Begins to share `size` bytes, a multiple of 8, of one page at `at`, in place of what *s shared
 * before. The frame stays until guest_unshare(), also when the guest gives the page back.
 * Locks: p2m of d, frames. Errors: -XEN_EFAULT it is not in RAM that the guest may write,
 * -XEN_EINVAL it is not aligned to 8 bytes, or crosses pages; *s is as before then.
 */
int __must_check guest_share(struct domain *d, gpa_t at, size_t size, struct guest_shared *s);
/* The same for a frame of the hypervisor, whose owner keeps it until guest_unshare(). */
void guest_share_frame(struct domain *d, mfn_t m, struct guest_shared *s);
void guest_unshare(struct domain *d, struct guest_shared *s);

static inline bool guest_is_shared(const struct guest_shared *s) { return s->at != NULL; }

static inline uint64_t *guest_shared_word(const struct guest_shared *s, size_t offset)
{
    return (uint64_t *)((char *)s->at + offset);
}

static inline uint32_t *guest_shared_half(const struct guest_shared *s, size_t offset)
{
    return (uint32_t *)((char *)s->at + offset);
}

static inline uint8_t *guest_shared_byte(const struct guest_shared *s, size_t offset)
{
    return (uint8_t *)s->at + offset;
}

/* The guest sees the old value or the new one. */
static inline void guest_shared_store(const struct guest_shared *s, uint64_t value)
{
    __atomic_store_n(guest_shared_word(s, 0), value, __ATOMIC_RELAXED);
}

#endif
