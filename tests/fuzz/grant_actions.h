/* SPDX-License-Identifier: MIT */
/*
 * What guests do with grant tables, for fuzz_core.c, of which this is a part: entries with any
 * contents, elements of operations that often make sense, and frames of tables mapped
 * by their domain and by others. grant_invariants.h says what must hold then.
 * FRAMES_ARE_WRITTEN: a guest that has a frame of a table mapped may write anything into it.
 */
#ifndef GRANT_ACTIONS_H
#define GRANT_ACTIONS_H

#define GRANT_REFS 16
#define GRANT_WINDOW (RAM_GFN + 40) /* gfn; 16 pages where grants are mapped */

static grant_ref_t any_ref(void)
{
    uint32_t how = u8();

    return how < 8 ? (grant_ref_t)odd_number() : how % GRANT_REFS;
}

static domid_t any_domid(const struct domain *d)
{
    uint32_t how = u8();
    const struct slot *s = &st.slot[how % SLOTS];

    if (how >= 0xf0) {
        return how >= 0xf8 ? DOMID_SELF : (domid_t)odd_number();
    }
    return s->d != NULL ? s->d->id : d->id;
}

/* A frame number: of RAM as a rule. */
static uint64_t any_gfn(void)
{
    uint32_t how = u8();

    return how < 8 ? odd_number() : RAM_GFN + how % 24;
}

/* Where a grant is mapped. Far places are for devices only (action_map()). */
static uint64_t any_place(void)
{
    uint32_t how = u8();
    uint64_t page = how >= 0xf8 ? UINT64_C(1) << 40 : how % 4 == 0 ? RAM_GFN : GRANT_WINDOW;

    return (page + (how >> 2) % 16) << PAGE_SHIFT;
}

static bool is_in_use(struct gnttab *t, uint32_t ref)
{
    const struct grant_pins *pins = t->entries.page[0].pins;

    return pins != NULL && (pins[ref].reads | pins[ref].writes) != 0;
}

/* The guest writes an entry of its table. An honest one does so not while it is in use. */
static void write_entry(struct slot *s)
{
    struct domain *d = s->d;
    struct gnttab *t = d->gnttab;
    uint32_t ref = u8() % GRANT_REFS, how = u8();

    if (is_in_use(t, ref)) {
        if (s->honest || u8() >= 32) {
            return;
        }
        s->lies = true;
    }
    uint64_t type = how & 7 ? GTF_permit_access : how >> 3 & 3;
    uint64_t flags = type | (how & 0x40 ? GTF_readonly : 0) | (how & 0x80 ? u8() << 2 : 0);
    uint64_t head = flags | (uint64_t)any_domid(d) << 16;

    if (s->honest) {
        head &= ~(uint64_t)(GTF_reading | GTF_writing);
    }
    if (t->version == 1) {
        *guest_shared_word(&t->entries.page[0].shared, ref * 8) = head | any_gfn() << 32;
        return;
    }
    uint64_t *word = guest_shared_word(&t->entries.page[0].shared, ref * 16);
    if (how & 8) {
        head |= GTF_sub_page | (uint64_t)(u8() << 4) << 32 | (uint64_t)(u8() << 4) << 48;
    } else if (how & 16) {
        head |= GTF_transitive | (uint64_t)any_domid(d) << 32;
    }
    word[0] = head;
    word[1] = (head & GTF_type_mask) == GTF_transitive ? any_ref() : any_gfn();
}

/* A frame of d's table is mapped: by itself, or by domain `by`, as a toolstack does. */
static void map_frame(struct domain *d, struct domain *by)
{
    uint32_t how = u8();
    mfn_t m;
    int rc = gnttab_frame(d, how & 3, how & 4, true, &m);

    if (rc != 0) {
        return;
    }
    gfn_t g = gfn(GRANT_WINDOW + (how >> 3 & 15));
    if (p2m_map_page(by, g, m, d == by ? P2M_SHARED : P2M_FOREIGN_RW) != 0) {
        frame_put(st.hv, m);
    } else if (d == by) {
        gnttab_frame_placed(d, how & 3, how & 4, g);
    }
}

static void action_grant(struct slot *s)
{
    uint32_t how = u8();
    mfn_t m;

    if (s->d == NULL || s->dying || s->d->gnttab == NULL) {
        return;
    }
    if ((how & 3) == 0) {
        struct slot *by = any_slot();

        if (by->d != NULL && !by->dying) {
            s->lies |= FRAMES_ARE_WRITTEN;
            map_frame(s->d, by->d);
        }
    } else if (s->d->gnttab->entries.nr == 0) {
        if (gnttab_frame(s->d, 0, false, true, &m) == 0) {
            frame_put(st.hv, m);
        }
    } else {
        write_entry(s);
    }
}

/* A mapping of d that is likely there; NULL: there never was one. */
static const struct grant_mapping *any_mapping(const struct domain *d, grant_handle_t *handle)
{
    uint32_t how = u8();

    *handle = how;
    if (d->gnttab == NULL || d->gnttab->maps.fresh == 0 || how >= 0xf8) {
        return NULL;
    }
    *handle = how % d->gnttab->maps.fresh;
    return grant_mapping(d, *handle);
}

static struct gnttab_copy_ptr any_copy_end(const struct domain *d, bool by_ref)
{
    struct gnttab_copy_ptr p = { .offset = (uint16_t)(u8() << 4) };

    if (by_ref) {
        p.u.ref = any_ref();
        p.domid = any_domid(d);
    } else {
        p.u.gmfn = any_gfn();
        p.domid = u8() < 0xf8 ? DOMID_SELF : any_domid(d);
    }
    return p;
}

/* One element of an operation. Returns its size. */
static size_t any_element(const struct domain *d, uint32_t op, uint64_t *out)
{
    const struct grant_mapping *a;
    grant_handle_t h;
    uint32_t how = u8();

    switch (op) {
    case GNTTABOP_map_grant_ref: {
        struct gnttab_map_grant_ref e = {
            .host_addr = any_place(), .ref = any_ref(), .dom = any_domid(d), .status = 1,
            .flags = how < 8 ? (uint32_t)odd_number()
                             : GNTMAP_host_map | (how & 1 ? GNTMAP_readonly : 0),
        };
        memcpy(out, &e, sizeof(e));
        return sizeof(e);
    }
    case GNTTABOP_unmap_grant_ref: {
        a = any_mapping(d, &h);
        struct gnttab_unmap_grant_ref e = {
            .host_addr = a != NULL && how > 16 ? (uint64_t)a->gfn << PAGE_SHIFT : any_place(),
            .dev_bus_addr = a != NULL && how & 1 ? (uint64_t)a->mfn << PAGE_SHIFT : 0,
            .handle = h, .status = 1,
        };
        memcpy(out, &e, sizeof(e));
        return sizeof(e);
    }
    case GNTTABOP_copy: {
        struct gnttab_copy e = { any_copy_end(d, how & 1), any_copy_end(d, how & 2),
                                 .len = (uint16_t)(how < 128 ? u8() : u8() << 5),
                                 .flags = how & 3, .status = 1 };
        memcpy(out, &e, sizeof(e));
        return sizeof(e);
    }
    case GNTTABOP_swap_grant_ref: {
        struct gnttab_swap_grant_ref e = { .ref_a = any_ref(), .ref_b = any_ref() };
        memcpy(out, &e, sizeof(e));
        return sizeof(e);
    }
    case GNTTABOP_cache_flush: {
        a = any_mapping(d, &h);
        struct gnttab_cache_flush e = {
            .a.dev_bus_addr = a != NULL ? (uint64_t)a->mfn << PAGE_SHIFT : odd_number(),
            .offset = (uint16_t)u8(), .length = (uint16_t)(u8() << 4), .op = how & 7,
        };
        memcpy(out, &e, sizeof(e));
        return sizeof(e);
    }
    case GNTTABOP_set_version:
        out[0] = how < 8 ? odd_number() : 1 + (how & 1);
        return sizeof(struct gnttab_set_version);
    default: /* whose domain comes first, sizes and lists after it */
        out[0] = any_domid(d) | (uint64_t)(how & 15) << 32;
        out[1] = any_domid(d);
        out[2] = guest_addr();
        return 24;
    }
}

/* v is about to make a grant_table_op: registers and elements. */
static void fill_grant_op(struct vcpu *v)
{
    uint64_t elements[3 * 8] = { 0 };
    uint32_t how = u8();
    uint32_t count = 1 + (how & 1) + (how >> 1 & 1);
    uint64_t at = guest_addr() & ~UINT64_C(7);
    size_t size = 0;

    if ((v->arch.reg[0] & 3) != 0 && how & 4) {
        v->arch.reg[0] = how & 8 ? GNTTABOP_map_grant_ref : GNTTABOP_copy;
    }
    for (uint32_t i = 0; i < count; i++) {
        size = any_element(v->domain, (uint32_t)v->arch.reg[0], &elements[i * size / 8]);
    }
    if (guest_phys_write(v->domain, gpa(at), elements, size * count, false) != 0) {
        return; /* that, too, is a call to make */
    }
    v->arch.reg[1] = at;
    v->arch.reg[2] = how < 248 ? count : odd_number();
}

#endif
