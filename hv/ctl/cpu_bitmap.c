/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps in a caller's memory (struct xenctl_bitmap): the caller says how many bits it has,
 * more or fewer than the hypervisor. Bits that the other side has not are 0.
 */
#include <loam/ctl.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <xen/domctl.h>
#include <xen/errno.h>

/* A caller that offers more bits gets no more than these. */
#define BITS_MAX (64u * CTL_BITMAP_WORDS_MAX)

int ctl_bitmap_read(struct hc *hc, const struct xenctl_bitmap *b, uint64_t *words, uint32_t nr)
{
    size_t bits = MIN(b->nr_bits, 64 * nr);

    memset(words, 0, nr * sizeof(*words));
    int rc = guest_copy_from(hc->v, words, (struct guest_ref){ b->bitmap }, (bits + 7) / 8);
    if (rc == 0 && bits % 64 != 0) {
        words[bits / 64] &= BIT(bits % 64) - 1;
    }
    return rc;
}

int ctl_bitmap_write(struct hc *hc, const struct xenctl_bitmap *b, const uint64_t *words,
                     uint32_t nr)
{
    uint64_t all[CTL_BITMAP_WORDS_MAX] = { 0 };

    if (b->nr_bits > BITS_MAX) {
        return refuse(-XEN_EINVAL, "a bitmap larger than any", b->nr_bits, BITS_MAX);
    }
    memcpy(all, words, MIN(nr, CTL_BITMAP_WORDS_MAX) * sizeof(*words));
    return guest_copy_to(hc->v, (struct guest_ref){ b->bitmap }, all, ((size_t)b->nr_bits + 7) / 8);
}
