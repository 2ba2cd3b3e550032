/* SPDX-License-Identifier: MIT */
/*
 * Random changes of two guests' memory on two CPUs, with accesses by the
 * guests in between: frames, second-stage tables and copies together.
 *
 * Found: a guest that sees what is not its own or what it should not see any
 * more, a rule of the tables broken (fake machine), a page lost, a panic.
 * Each operation is 5 bytes: what, guest, gfn (two), pages.
 */
#include <stdlib.h>
#include <string.h>

#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/guest_copy.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>

#include "world.h"

#define GUESTS 2
#define GFNS 2048 /* of each guest, from BASE on */
#define BASE (UINT64_C(512) * 512 - GFNS / 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
    struct world w;
    struct vcpu *v[GUESTS];
    mfn_t mfn[GUESTS][GFNS]; /* MFN_NONE: nothing */
    uint32_t stamp[GUESTS][GFNS]; /* what the guest wrote there last, 0: nothing */
    uint32_t next_stamp;
};

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

static gfn_t at(uint32_t g) { return gfn(BASE + g); }

static void do_map(struct state *s, uint32_t i, uint32_t g, uint64_t pages)
{
    mfn_t m = frame_alloc_pages(s->w.hv, pages, FRAME_ALLOC_ZERO);
    bool is_free = true;

    if (mfn_is_none(m)) {
        return;
    }
    for (uint64_t k = 0; k < pages; k++) {
        is_free = is_free && mfn_is_none(s->mfn[i][g + k]);
    }
    int rc = p2m_map(s->v[i]->domain, at(g), m, pages, P2M_RAM_RW);

    expect(rc != 0 ? !is_free || s->w.hv->frames.avail < 8 : is_free);
    if (rc != 0) {
        frame_free_pages(s->w.hv, m, pages);
        return;
    }
    for (uint64_t k = 0; k < pages; k++) {
        s->mfn[i][g + k] = mfn_add(m, k);
        s->stamp[i][g + k] = 0;
    }
}

static void do_unmap(struct state *s, uint32_t i, uint32_t g, uint64_t pages)
{
    if (p2m_unmap(s->v[i]->domain, at(g), pages) != 0) {
        expect(s->w.hv->frames.avail < 8);
        return;
    }
    for (uint64_t k = 0; k < pages; k++) {
        if (!mfn_is_none(s->mfn[i][g + k])) {
            frame_free(s->w.hv, s->mfn[i][g + k], 0);
            s->mfn[i][g + k] = MFN_NONE;
        }
    }
}

/* As a balloon gives memory back: run by run, what is not there is stepped over. */
static void do_balloon(struct state *s, uint32_t i, uint32_t g, uint64_t pages)
{
    for (uint64_t left = pages; left != 0;) {
        uint64_t nr = 1;
        mfn_t m;

        if (p2m_unmap_ram(s->v[i]->domain, at(g), left, &m, &nr) == 0) {
            expect(nr != 0 && nr <= left);
            for (uint64_t k = 0; k < nr; k++) {
                expect(mfn_eq(s->mfn[i][g + k], mfn_add(m, k)));
                s->mfn[i][g + k] = MFN_NONE;
            }
            frame_free_pages(s->w.hv, m, nr);
        } else {
            expect(mfn_is_none(s->mfn[i][g]) || s->w.hv->frames.avail < 8);
            nr = 1;
        }
        left -= nr;
        g += (uint32_t)nr;
    }
}

/* On the CPU that has guest i loaded. */
static void do_access(struct state *s, uint32_t i, uint32_t g, bool write)
{
    struct vcpu *v = s->v[i];
    gpa_t a = gpa_add(gfn_to_gpa(at(g)), 8 * (g % 500));
    bool mapped = !mfn_is_none(s->mfn[i][g]);
    uint32_t x = ++s->next_stamp;

    world_cpu(&s->w, i);
    if (write) {
        expect(fake_guest_write(v, a, &x, sizeof(x)) == mapped);
        s->stamp[i][g] = mapped ? x : 0;
    } else {
        expect(fake_guest_read(v, a, &x, sizeof(x)) == mapped);
        expect(!mapped || x == s->stamp[i][g]);
    }
    world_cpu(&s->w, 0);
}

static void do_copy(struct state *s, uint32_t i, uint32_t g)
{
    struct guest_ref r = { gfn_to_gpa(at(g)).a + 8 * (g % 500) };
    bool mapped = !mfn_is_none(s->mfn[i][g]);
    uint32_t x = 0;

    world_cpu(&s->w, i);
    expect((guest_copy_from(s->v[i], &x, r, sizeof(x)) == 0) == mapped);
    expect(!mapped || x == s->stamp[i][g]);
    world_cpu(&s->w, 0);
}

static void do_next(struct state *s, uint32_t i)
{
    uint64_t pages, found = 0, mapped = 0;
    enum p2m_type type;
    gfn_t g = gfn(0);
    mfn_t m;

    for (; p2m_next(s->v[i]->domain, &g, &m, &type, &pages); g = gfn_add(g, pages)) {
        expect(mfn_eq(s->mfn[i][g.n - BASE], m));
        found += pages;
    }
    for (uint32_t k = 0; k < GFNS; k++) {
        mapped += !mfn_is_none(s->mfn[i][k]);
    }
    expect(found == mapped);
}

static void operation(struct state *s, const uint8_t *op)
{
    uint32_t i = op[1] % GUESTS;
    uint32_t g = (uint32_t)(op[2] | op[3] << 8) % GFNS;
    uint64_t pages = op[4] & 0x80 ? UINT64_C(512) : op[4] % 64u + 1u;

    if (op[4] & 0x80) {
        g = (uint32_t)ALIGN_DOWN(g, 512u);
    }
    pages = MIN(pages, GFNS - g);
    switch (op[0] % 7) {
    case 0:
        do_map(s, i, g, pages);
        break;
    case 1:
        do_unmap(s, i, g, pages);
        break;
    case 2:
    case 3:
        do_access(s, i, g, op[0] & 1);
        break;
    case 4:
        do_copy(s, i, g);
        break;
    case 5:
        do_balloon(s, i, g, pages);
        break;
    default:
        do_next(s, i);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state *s = calloc(1, sizeof(*s));

    expect(s != NULL);
    world_init(&s->w, GUESTS, 16);
    for (uint32_t i = 0; i < GUESTS; i++) {
        world_cpu(&s->w, i);
        s->v[i] = world_guest(&s->w);
        for (uint32_t g = 0; g < GFNS; g++) {
            s->mfn[i][g] = MFN_NONE;
        }
    }
    world_cpu(&s->w, 0);
    for (; size >= 5; data += 5, size -= 5) {
        operation(s, data);
    }
    for (uint32_t i = 0; i < GUESTS; i++) {
        do_unmap(s, i, 0, GFNS);
        expect(s->v[i]->domain->p2m.table_pages == 2);
        world_guest_end(&s->w, s->v[i]);
    }
    world_fini(&s->w);
    free(s);
    return 0;
}
