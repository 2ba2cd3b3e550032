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
 * arch_guest_translate(). Errors: -XEN_EFAULT when a byte is not RAM that the
 * guest itself may read (write); bytes before it may be copied.
 */
int __must_check guest_copy_from(struct vcpu *v, void *buf, struct guest_ref from, size_t size);
int __must_check guest_copy_to(struct vcpu *v, struct guest_ref to, const void *buf, size_t size);

/*
 * The same by guest-physical address, for any domain from any CPU (boot, SBI,
 * device models). `clean` makes the bytes visible to a guest that runs with
 * its caches off. Locks: p2m of d. Errors: -XEN_EFAULT, as above.
 */
int __must_check guest_phys_read(struct domain *d, void *buf, gpa_t from, size_t size);
/* The same of what lies in one page, with p2m.lock held. */
int __must_check guest_phys_read_locked(struct domain *d, void *buf, gpa_t from, size_t size);
int __must_check guest_phys_write(struct domain *d, gpa_t to, const void *buf, size_t size,
                                  bool clean);
int __must_check guest_phys_clear(struct domain *d, gpa_t to, uint64_t size, bool clean);

/*
 * A 64-bit word of a guest's RAM that the hypervisor writes while the guest runs.
 * Opaque outside of this header and mm/guest_copy.c.
 */
struct guest_shared {
    uint64_t *word; /* NULL: none */
};

/*
 * Begins to share the word at `at`, in place of what *s shared before.
 * guest_unshare() ends it, before RAM of d is given back: a vCPU's words end
 * with the vCPU. Locks: p2m of d. Errors: -XEN_EFAULT it is not in RAM that
 * the guest may write, -XEN_EINVAL it is not aligned; *s is as before then.
 */
int __must_check guest_share(struct domain *d, gpa_t at, struct guest_shared *s);
void guest_unshare(struct domain *d, struct guest_shared *s);

static inline bool guest_is_shared(const struct guest_shared *s) { return s->word != NULL; }

/* The guest sees the old value or the new one. */
static inline void guest_shared_store(const struct guest_shared *s, uint64_t value)
{
    __atomic_store_n(s->word, value, __ATOMIC_RELAXED);
}

#endif
