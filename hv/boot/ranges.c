/* SPDX-License-Identifier: MIT */
/*
 * Sets of addresses, as sorted arrays of ranges in whole pages. Ranges that touch become one,
 * so that what devices share is there once. Contract: private.h.
 */
#include <loam/mem.h>
#include <loam/string.h>

#include "private.h"

static uint64_t end_of(const struct plan_range *r) { return r->start + r->size; }

/* Index of the first range that ends at addr or later. */
static uint32_t find(const struct plan_ranges *s, uint64_t addr)
{
    uint32_t low = 0, high = s->nr;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (end_of(&s->r[mid]) >= addr) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low;
}

/* Makes a gap of one element at i. */
static int insert(struct hv *hv, struct plan_ranges *s, uint32_t i)
{
    void *table = s->r;
    int rc = plan_grow(hv, &table, s->nr, &s->max, sizeof(*s->r));
    s->r = table;
    if (rc == 0) {
        memmove(&s->r[i + 1], &s->r[i], (s->nr - i) * sizeof(*s->r));
        s->nr++;
    }
    return rc;
}

/* Takes n elements out from i on. */
static void drop(struct plan_ranges *s, uint32_t i, uint32_t n)
{
    memmove(&s->r[i], &s->r[i + n], (s->nr - i - n) * sizeof(*s->r));
    s->nr -= n;
}

int ranges_add(struct hv *hv, struct plan_ranges *s, uint64_t start, uint64_t end)
{
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    uint32_t i = find(s, start), n = 0;
    for (; i + n < s->nr && s->r[i + n].start <= end; n++) {
        start = MIN(start, s->r[i + n].start);
        end = MAX(end, end_of(&s->r[i + n]));
    }
    int rc = n ? 0 : insert(hv, s, i);
    if (rc) {
        return rc;
    }
    if (n > 1) {
        drop(s, i + 1, n - 1);
    }
    s->r[i] = (struct plan_range){ start, end - start };
    return 0;
}

int ranges_cut(struct hv *hv, struct plan_ranges *s, uint64_t start, uint64_t end)
{
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    for (uint32_t i = find(s, start); i < s->nr && s->r[i].start < end;) {
        struct plan_range old = s->r[i];
        bool below = old.start<start, above = end_of(&old)> end;
        if (below && above) {
            int rc = insert(hv, s, i);
            if (rc) {
                return rc;
            }
            s->r[i + 1] = (struct plan_range){ end, end_of(&old) - end };
        }
        if (below) {
            s->r[i].size = MIN(old.size, start - old.start);
        } else if (above) {
            s->r[i] = (struct plan_range){ end, end_of(&old) - end };
        } else {
            drop(s, i, 1);
            continue;
        }
        i += 1 + (below && above);
    }
    return 0;
}

bool ranges_hole(const struct plan_ranges *s, uint64_t from, uint64_t limit, uint64_t align,
                 uint64_t size, uint64_t *start)
{
    uint64_t at = ALIGN_UP(from, align);
    for (uint32_t i = find(s, at); i < s->nr && s->r[i].start < at + size; i++) {
        at = MAX(at, ALIGN_UP(end_of(&s->r[i]), align));
    }
    *start = at;
    return at <= limit && size <= limit - at;
}

bool ranges_touch(const struct plan_ranges *s, const struct plan_range *r)
{
    uint32_t i = find(s, r->start + 1);
    return i < s->nr && s->r[i].start < r->start + r->size;
}

void ranges_free(struct hv *hv, struct plan_ranges *s)
{
    mem_free(hv, s->r, s->max * sizeof(*s->r));
    *s = (struct plan_ranges){ 0 };
}
