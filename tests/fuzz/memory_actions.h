/* SPDX-License-Identifier: MIT */
/*
 * What guests and a toolstack do with memory, for fuzz_core.c, of which this is a part:
 * memory_op with arguments that often make sense, and limits. A call is now and then made with
 * the rights of a control domain. memory_invariants.h says what must hold then; besides,
 * a page that a domain gets is clear.
 */
#ifndef MEMORY_ACTIONS_H
#define MEMORY_ACTIONS_H

#define MEMORY_WINDOW (RAM_GFN + 24) /* gfn; 64 pages that come and go */
#define MEMORY_LIST_MAX 8

/* Pages of a call that its domain does not have before it. */
static struct {
    struct domain *d;
    uint64_t gfn[MEMORY_LIST_MAX];
    uint32_t nr;
} fresh;

static uint64_t any_memory_gfn(void)
{
    uint32_t how = u8();

    return how < 4 ? odd_number() : how < 32 ? RAM_GFN + how % 8 : MEMORY_WINDOW + how % 64;
}

/* Up to MEMORY_LIST_MAX frame numbers at a place in the guest: a run, or not. */
static uint64_t write_gfns(struct domain *d, uint64_t at, uint64_t *out, uint32_t nr)
{
    bool run = u8() & 1;

    for (uint32_t i = 0; i < nr; i++) {
        out[i] = run && i != 0 ? out[i - 1] + 1 : any_memory_gfn();
    }
    (void)guest_phys_write(d, gpa(at), out, nr * sizeof(out[0]), false);
    return at;
}

static struct domain *domain_of(struct domain *d, domid_t id)
{
    for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
        if (s->d != NULL && s->d->id == id && !s->dying) {
            return s->d;
        }
    }
    return id == DOMID_SELF ? d : NULL;
}

static void remember_fresh(struct domain *d, const uint64_t *gfns, uint32_t nr)
{
    fresh.d = d;
    fresh.nr = 0;
    for (uint32_t i = 0; d != NULL && i < nr; i++) {
        if (mfn_is_none(p2m_lookup(d, gfn(gfns[i]), NULL, NULL))) {
            fresh.gfn[fresh.nr++] = gfns[i];
        }
    }
}

/* What the call gave to the domain shows nothing of whoever had it. */
static void check_fresh(void)
{
    static const uint8_t clear[PAGE_SIZE];

    for (uint32_t i = 0; i < fresh.nr && fresh.d->state != DOMAIN_DYING; i++) {
        enum p2m_type type = P2M_INVALID;
        mfn_t m = p2m_lookup(fresh.d, gfn(fresh.gfn[i]), &type, NULL);

        if (type == P2M_RAM_RW && !mfn_is_none(m)) {
            EXPECT(memcmp(frame_map_local(st.hv, m), clear, PAGE_SIZE) == 0,
                   "domain %u gets a page of others", fresh.d->id);
        }
    }
    fresh.nr = 0;
}

static size_t any_reservation(struct vcpu *v, uint64_t list, void *out, uint32_t cmd)
{
    uint64_t gfns[MEMORY_LIST_MAX];
    uint32_t how = u8(), nr = 1 + how % MEMORY_LIST_MAX;
    struct xen_memory_reservation r = { .nr_extents = how < 8 ? odd_number() : nr,
                                        .extent_order = how >= 0xf0 ? u8() & 3 : 0,
                                        .domid = any_domid(v->domain) };

    r.extent_start = cmd == XENMEM_claim_pages ? 0 : write_gfns(v->domain, list, gfns, nr);
    r.nr_extents = cmd == XENMEM_claim_pages ? u8() * 16 : r.nr_extents;
    if (cmd == XENMEM_populate_physmap) {
        remember_fresh(domain_of(v->domain, r.domid), gfns, nr);
    }
    memcpy(out, &r, sizeof(r));
    return sizeof(r);
}

static size_t any_batch(struct vcpu *v, uint64_t list, void *out)
{
    uint64_t gfns[MEMORY_LIST_MAX];
    uint32_t how = u8(), nr = 1 + how % MEMORY_LIST_MAX;
    struct xen_add_to_physmap_batch a = { .domid = how < 240 ? DOMID_SELF : any_domid(v->domain),
                                          .space = how & 16 ? u8() % 6 : XENMAPSPACE_gmfn_foreign,
                                          .size = (uint16_t)(how < 8 ? odd_number() : nr),
                                          .u.foreign_domid = any_domid(v->domain) };

    a.idxs = write_gfns(v->domain, list, gfns, nr);
    a.gpfns = write_gfns(v->domain, list + 64, gfns, nr);
    a.errs = list + 128;
    memcpy(out, &a, sizeof(a));
    return sizeof(a);
}

/* The structure of one operation; its size. */
static size_t any_memory_arg(struct vcpu *v, uint32_t cmd, uint64_t list, void *out)
{
    switch (cmd) {
    case XENMEM_add_to_physmap: {
        struct xen_add_to_physmap a = {
            .domid = DOMID_SELF, .space = u8() % 6, .idx = u8() & 3, .gpfn = any_memory_gfn()
        };
        memcpy(out, &a, sizeof(a));
        return sizeof(a);
    }
    case XENMEM_add_to_physmap_batch:
        return any_batch(v, list, out);
    case XENMEM_remove_from_physmap: {
        struct xen_remove_from_physmap a = { .domid = any_domid(v->domain),
                                             .gpfn = any_memory_gfn() };
        memcpy(out, &a, sizeof(a));
        return sizeof(a);
    }
    case XENMEM_acquire_resource: {
        uint64_t gfns[MEMORY_LIST_MAX];
        struct xen_mem_acquire_resource a = { .domid = any_domid(v->domain),
                                              .type = XENMEM_resource_grant_table,
                                              .id = u8() & 1,
                                              .nr_frames = u8() & 3,
                                              .frame = u8() & 3 };
        a.frame_list = write_gfns(v->domain, list, gfns, 3);
        memcpy(out, &a, sizeof(a));
        return sizeof(a);
    }
    default:
        return any_reservation(v, list, out, cmd);
    }
}

/* v is about to make a memory_op: registers, structure and lists. */
static void fill_memory_op(struct vcpu *v)
{
    static const uint8_t likely[] = { XENMEM_populate_physmap,     XENMEM_decrease_reservation,
                                      XENMEM_add_to_physmap_batch, XENMEM_remove_from_physmap,
                                      XENMEM_add_to_physmap,       XENMEM_acquire_resource,
                                      XENMEM_claim_pages,          XENMEM_populate_physmap };
    uint32_t how = u8();
    uint64_t at = guest_addr() & ~UINT64_C(7), list = guest_addr() & ~UINT64_C(7);
    uint64_t arg[8];
    uint32_t cmd = likely[how & 7];
    size_t size = any_memory_arg(v, cmd, list, arg);

    v->arch.reg[0] = cmd | (how >= 0xf8 ? odd_number() << MEMOP_EXTENT_SHIFT : 0);
    (void)!guest_phys_write(v->domain, gpa(at), arg, size, false);
    v->arch.reg[1] = at;
    st.as_control = how & 0x10;
}

/* What a toolstack says of a domain. */
static void action_limits(struct slot *s)
{
    uint32_t how = u8();
    int rc = 0;

    if (s->d == NULL || s->dying) {
        return;
    }
    switch (how & 3) {
    case 0:
        memory_set_max(s->d, u8());
        break;
    case 1:
        rc = memory_claim(s->d, (uint64_t)(how >> 2) * 32);
        EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_ENOMEM, "a claim gives %d", rc);
        break;
    case 2:
        rc = memory_set_pool(s->d, how & 4 ? odd_number() : (uint64_t)u8() << PAGE_SHIFT);
        EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_ENOMEM, "a pool gives %d", rc);
        break;
    default:
        memory_set_max(s->d, 2048);
        break;
    }
}

#endif
