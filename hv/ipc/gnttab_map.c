/* SPDX-License-Identifier: MIT */
/*
 * Mappings of others' grants: handles, map and unmap.
 *
 * A handle is the number of a struct grant_mapping of the domain that maps. While it is not
 * free it counts as one use of the entry (pins) and holds a reference to the granter's
 * struct; the reference to the frame is the p2m mapping's. A handle is BUSY while
 * a CPU makes or ends the mapping without the lock, so that it ends once.
 *
 * The order: the grant is taken, then mapped, then the handle can be seen. Back: the page leaves
 * the p2m and every TLB, then the granter is told. A guest that puts something else over the
 * page has ended the mapping by itself, and the handle only ends the use.
 *
 * By-frame buckets answer whether a frame is mapped here (cache_flush).
 *
 * Locks: gnttab.lock of the mapper, then of the granter, never both. Next: gnttab_op.c.
 */
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/hypercall_ops.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "elements.h"
#include "grants.h"

#define LINK_MASK 0xffffffu
#define CHUNK_BYTES (HANDLES_PER_CHUNK * sizeof(struct grant_mapping))
#define ROOM_MIN 8
#define CLOSE_HANDLES 32 /* looked at in one step */
#define GRANT_TYPES (1u << P2M_GRANT_RW | 1u << P2M_GRANT_RO)

static uint32_t handles_max(const struct domain *d)
{
    uint32_t frames = d->config.maptrack_frames_max;

    if (frames == GNTTAB_MAPTRACK_NONE) {
        return 0;
    }
    return (frames != 0 ? frames : GNTTAB_MAPTRACK_DEFAULT) * HANDLES_PER_MAPTRACK_FRAME;
}

static struct grant_mapping *mapping_at(const struct maptrack *m, uint32_t handle)
{
    return &m->chunk[handle / HANDLES_PER_CHUNK][handle % HANDLES_PER_CHUNK];
}

/* How the links name a handle; link 0 names none. */
static uint32_t link_of(uint32_t handle) { return handle + 1; }

static uint32_t *bucket_of(struct maptrack *m, mfn_t frame)
{
    return &m->bucket[frame.n % MAPPING_BUCKETS];
}

/* Room for HANDLES_PER_CHUNK more handles. Errors: -XEN_ENOMEM. */
static int maptrack_grow(struct hv *hv, struct maptrack *m)
{
    if (m->bucket == NULL) {
        m->bucket = mem_alloc(hv, MAPPING_BUCKETS * sizeof(m->bucket[0]));
        if (m->bucket == NULL) {
            return -XEN_ENOMEM;
        }
    }
    if (m->nr == m->room) {
        uint32_t room = MAX(m->room * 2, (uint32_t)ROOM_MIN);
        struct grant_mapping **chunk = mem_alloc(hv, room * sizeof(chunk[0]));

        if (chunk == NULL) {
            return -XEN_ENOMEM;
        }
        if (m->chunk != NULL) {
            memcpy(chunk, m->chunk, m->nr * sizeof(chunk[0]));
            mem_free(hv, m->chunk, m->room * sizeof(chunk[0]));
        }
        m->chunk = chunk;
        m->room = room;
    }
    m->chunk[m->nr] = mem_alloc(hv, CHUNK_BYTES);
    if (m->chunk[m->nr] == NULL) {
        return -XEN_ENOMEM;
    }
    m->nr++;
    return 0;
}

static int16_t handle_take_locked(struct domain *d, uint32_t *handle)
{
    struct maptrack *m = &d->gnttab->maps;

    if (m->free != 0) {
        *handle = m->free - 1;
        m->free = mapping_at(m, *handle)->next;
    } else {
        if (m->fresh == handles_max(d)) {
            return grant_refuse(GNTST_no_space, "as many mappings as the domain may have",
                                handles_max(d), 0);
        }
        if (m->fresh == m->nr * HANDLES_PER_CHUNK && maptrack_grow(d->hv, m) != 0) {
            return grant_refuse(GNTST_no_space, "no memory for handles", m->fresh, 0);
        }
        *handle = m->fresh++;
    }
    mapping_at(m, *handle)->state = MAPPING_BUSY;
    return 0;
}

static int16_t handle_take(struct domain *d, uint32_t *handle)
{
    spin_lock(&d->gnttab->lock);
    int16_t rc = handle_take_locked(d, handle);
    spin_unlock(&d->gnttab->lock);
    return rc;
}

/* A handle that is BUSY, and in no bucket, can be taken again. */
static void handle_give_back(struct domain *d, uint32_t handle)
{
    struct maptrack *m = &d->gnttab->maps;

    spin_lock(&d->gnttab->lock);
    *mapping_at(m, handle) = (struct grant_mapping){ .next = m->free & LINK_MASK };
    m->free = link_of(handle);
    spin_unlock(&d->gnttab->lock);
}

static void bucket_add_locked(struct maptrack *m, uint32_t handle)
{
    struct grant_mapping *a = mapping_at(m, handle);
    uint32_t *bucket = bucket_of(m, mfn(a->mfn));

    a->prev = 0;
    a->next = *bucket & LINK_MASK;
    if (*bucket != 0) {
        mapping_at(m, *bucket - 1)->prev = link_of(handle) & LINK_MASK;
    }
    *bucket = link_of(handle);
    m->live++;
}

static void bucket_remove_locked(struct maptrack *m, const struct grant_mapping *a)
{
    if (a->prev != 0) {
        mapping_at(m, a->prev - 1)->next = a->next;
    } else {
        *bucket_of(m, mfn(a->mfn)) = a->next;
    }
    if (a->next != 0) {
        mapping_at(m, a->next - 1)->prev = a->prev;
    }
    m->live--;
}

/* The mapping is there: its handle, BUSY so far, works from now on. */
static void handle_publish(struct domain *d, uint32_t handle, const struct grant *g, gfn_t at)
{
    struct maptrack *m = &d->gnttab->maps;

    spin_lock(&d->gnttab->lock);
    *mapping_at(m, handle) = (struct grant_mapping){
        .granter = g->granter,
        .mfn = g->frame.n & BITS(39, 0),
        .gfn = at.n & BITS(39, 0),
        .ref = g->ref,
        .state = MAPPING_LIVE,
        .readonly = g->readonly,
    };
    bucket_add_locked(m, handle);
    spin_unlock(&d->gnttab->lock);
}

/* The mapping is in the map still: its owner may have put something else there meanwhile. */
static bool is_mapped(struct domain *d, const struct grant_mapping *a)
{
    enum p2m_type type = P2M_INVALID;
    mfn_t m = p2m_lookup(d, gfn(a->gfn), &type, NULL);

    return m.n == a->mfn && (type == P2M_GRANT_RW || type == P2M_GRANT_RO);
}

bool maptrack_has_frame(struct domain *d, mfn_t frame)
{
    struct maptrack *m = &d->gnttab->maps;
    bool found = false;

    spin_lock(&d->gnttab->lock);
    if (m->bucket != NULL) {
        for (uint32_t i = *bucket_of(m, frame); i != 0 && !found; i = mapping_at(m, i - 1)->next) {
            const struct grant_mapping *a = mapping_at(m, i - 1);

            found = a->mfn == frame.n && is_mapped(d, a);
        }
    }
    spin_unlock(&d->gnttab->lock);
    return found;
}

/* --- Map --------------------------------------------------------------------- */

/* p2m_map_page() says no: in the words of the ABI. */
static int16_t map_refused(int rc, gfn_t at)
{
    switch (rc) {
    case -XEN_ENOMEM:
        return grant_refuse(GNTST_no_space, "no memory for page tables", at.n, 0);
    case -XEN_EINVAL:
    case -XEN_EBUSY:
        return grant_refuse(GNTST_bad_virt_addr, "a grant cannot be mapped there", at.n, -rc);
    default:
        return grant_refuse(GNTST_general_error, "the page could not be mapped", at.n, -rc);
    }
}

/* With a reference to the granter, which is the handle's on success. */
static int16_t map_from(struct domain *d, struct domain *granter, struct gnttab_map_grant_ref *a)
{
    struct grant_request q = { .by = d->id, .readonly = a->flags & GNTMAP_readonly };
    gfn_t at = gpa_to_gfn(gpa(a->host_addr));
    struct grant g;
    uint32_t handle;
    int16_t status = handle_take(d, &handle);

    if (status != 0) {
        return status;
    }
    q.use = GRANT_MAP;
    status = grant_take(granter, a->ref, &q, &g);
    if (status != 0) {
        goto out_handle;
    }
    int rc = p2m_map_page(d, at, g.frame, q.readonly ? P2M_GRANT_RO : P2M_GRANT_RW);
    if (rc != 0) {
        status = map_refused(rc, at);
        goto out_grant;
    }
    handle_publish(d, handle, &g, at);
    a->handle = handle;
    a->dev_bus_addr = mfn_to_hpa(g.frame).a;
    return 0;

out_grant:
    grant_put(&g);
out_handle:
    handle_give_back(d, handle);
    return status;
}

static int map_one(struct hc *hc, void *element)
{
    struct gnttab_map_grant_ref *a = element;

    if ((a->flags & (GNTMAP_host_map | GNTMAP_device_map)) == 0) {
        return grant_refuse(GNTST_bad_gntref, "neither a mapping for CPUs nor for devices",
                            a->flags, a->ref);
    }
    /* Of a guest whose physical addresses are translated, a device sees what it sees. */
    if ((a->flags & ~GNTMAP_readonly) != GNTMAP_host_map) {
        return grant_refuse(GNTST_general_error, "not a plain mapping for CPUs", a->flags, a->ref);
    }
    struct domain *granter = domain_lookup(hc->d->hv, a->dom == DOMID_SELF ? hc->d->id : a->dom);
    if (granter == NULL) {
        return grant_refuse(GNTST_bad_domain, "no domain has this id", a->dom, a->ref);
    }
    int16_t status = map_from(hc->d, granter, a);
    if (status != 0) {
        domain_put(granter);
    }
    return status;
}

/* --- Unmap ------------------------------------------------------------------- */

/* What an unmap operation asks for. */
struct unmap_request {
    uint64_t host_addr, dev_bus_addr; /* 0: not given */
    grant_handle_t handle;
};

/* Finds the mapping and makes it BUSY; *out is what it is. */
static int16_t unmap_begin_locked(struct gnttab *t, const struct unmap_request *q,
                                  struct grant_mapping *out)
{
    if (q->handle >= t->maps.fresh) {
        return grant_refuse(GNTST_bad_handle, "no such handle", q->handle, t->maps.fresh);
    }
    struct grant_mapping *a = mapping_at(&t->maps, q->handle);
    if (a->state != MAPPING_LIVE) {
        return grant_refuse(GNTST_bad_handle, "a handle without a mapping", q->handle, a->state);
    }
    if (q->dev_bus_addr != 0 && q->dev_bus_addr != mfn_to_hpa(mfn(a->mfn)).a) {
        return grant_refuse(GNTST_bad_dev_addr, "another frame has this address", q->dev_bus_addr,
                            a->mfn);
    }
    *out = *a;
    if (q->host_addr == 0) {
        return 0;
    }
    if (gpa_to_gfn(gpa(q->host_addr)).n != a->gfn) {
        return grant_refuse(GNTST_bad_virt_addr, "the handle's mapping is elsewhere", q->host_addr,
                            a->gfn);
    }
    bucket_remove_locked(&t->maps, a);
    a->state = MAPPING_BUSY;
    return 0;
}

/* The page could not be taken out: the handle works again. */
static void unmap_undo(struct domain *d, uint32_t handle)
{
    spin_lock(&d->gnttab->lock);
    mapping_at(&d->gnttab->maps, handle)->state = MAPPING_LIVE;
    bucket_add_locked(&d->gnttab->maps, handle);
    spin_unlock(&d->gnttab->lock);
}

static int16_t unmap(struct domain *d, const struct unmap_request *q)
{
    struct grant_mapping a;

    spin_lock(&d->gnttab->lock);
    int16_t status = unmap_begin_locked(d->gnttab, q, &a);
    spin_unlock(&d->gnttab->lock);
    if (status != 0 || q->host_addr == 0) {
        return status;
    }
    /* Something else may be there by now: then the mapping is gone. */
    int rc = p2m_unmap_page(d, gfn(a.gfn), mfn(a.mfn), GRANT_TYPES);
    if (rc != 0 && rc != -XEN_ENOENT) {
        unmap_undo(d, q->handle);
        return grant_refuse(GNTST_no_space, "no memory to take the page out", q->handle, -rc);
    }
    grant_end(a.granter, a.ref, a.readonly);
    domain_put(a.granter);
    handle_give_back(d, q->handle);
    return 0;
}

static int unmap_one(struct hc *hc, void *element)
{
    const struct gnttab_unmap_grant_ref *a = element;
    struct unmap_request q = { a->host_addr, a->dev_bus_addr, a->handle };

    return unmap(hc->d, &q);
}

/* Page tables of guests are not the hypervisor's: nothing can take the mapping's place. */
static int replace_one(struct hc *hc, void *element)
{
    const struct gnttab_unmap_and_replace *a = element;
    struct unmap_request q = { .host_addr = a->host_addr, .handle = a->handle };

    if (a->new_addr != 0) {
        return grant_refuse(GNTST_general_error, "no mapping can take the place of this one",
                            a->new_addr, a->handle);
    }
    return unmap(hc->d, &q);
}

/* The guest does not get to know the handle: no mapping, then. */
static void map_undo(struct hc *hc, void *element)
{
    const struct gnttab_map_grant_ref *a = element;
    struct unmap_request q = { .host_addr = a->host_addr, .handle = a->handle };

    if (a->status == GNTST_okay) {
        unmap(hc->d, &q);
    }
}

int gnttab_op_map_grant_ref(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_map_grant_ref, dom), .act = map_one,
                                              .undo = map_undo };

    return for_each_element(hc, &kind);
}

int gnttab_op_unmap_grant_ref(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_unmap_grant_ref, status),
                                              .act = unmap_one };

    return for_each_element(hc, &kind);
}

int gnttab_op_unmap_and_replace(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_unmap_and_replace, status),
                                              .act = replace_one };

    return for_each_element(hc, &kind);
}

/* --- The end ----------------------------------------------------------------- */

static void maptrack_free(struct hv *hv, struct maptrack *m)
{
    mem_free(hv, m->chunk, m->room * sizeof(m->chunk[0]));
    mem_free(hv, m->bucket, MAPPING_BUCKETS * sizeof(m->bucket[0]));
    *m = (struct maptrack){ 0 };
}

int maptrack_close(struct domain *d)
{
    struct maptrack *m = &d->gnttab->maps;

    /* No vCPU of d makes or ends mappings any more; the pages leave the p2m with its tables. */
    for (uint32_t n = 0; n < CLOSE_HANDLES; n++, m->closed++) {
        if (m->closed == m->fresh) {
            for (uint32_t i = 0; i < m->nr; i++) {
                mem_free(d->hv, m->chunk[i], CHUNK_BYTES);
            }
            maptrack_free(d->hv, m);
            return 0;
        }
        struct grant_mapping *a = mapping_at(m, m->closed);
        if (a->state == MAPPING_LIVE) {
            grant_end(a->granter, a->ref, a->readonly);
            domain_put(a->granter);
            a->granter = NULL;
            a->state = MAPPING_FREE;
        }
    }
    return -XEN_EAGAIN;
}
