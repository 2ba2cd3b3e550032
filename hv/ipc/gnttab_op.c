/* SPDX-License-Identifier: MIT */
/*
 * The operations of grant_table_op: arrays of elements, and what is no map and no copy
 * (Xen public header grant_table.h).
 * Next: gnttab_map.c, gnttab_copy.c.
 */
#include <arch/mmu.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/hypercall_ops.h>
#include <loam/log.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "elements.h"
#include "grants.h"

#define ELEMENTS_AT_ONCE 32
#define LIST_AT_ONCE 32
#define DUMP_LINES 16

/* Something failed and the call goes on: the first reason is kept now. */
static void record(struct hc *hc, int status, bool first)
{
    struct refusal_note *n = &hc->v->pcpu->refusal;

    if (first) {
        /* hc_target() speaks in errors. */
        refusal_record(hc->v, __HYPERVISOR_grant_table_op, hc->arg[0],
                       n->check != NULL ? n->rc : status);
    }
    n->check = NULL;
}

static int do_element(struct hc *hc, const struct element_kind *k, uint64_t addr, bool *failed)
{
    uint64_t buf[ELEMENT_BYTES_MAX / sizeof(uint64_t)];
    char *bytes = (char *)buf;

    if (guest_copy_from(hc->v, buf, (struct guest_ref){ addr }, k->size) != 0) {
        return refuse(-XEN_EFAULT, "an element cannot be read", addr, k->size);
    }
    int16_t status = (int16_t)k->act(hc, buf);
    *(int16_t *)(bytes + k->status) = status;
    if (unlikely(status != 0)) {
        record(hc, status, !*failed);
        *failed = true;
    }
    if (guest_copy_to(hc->v, (struct guest_ref){ addr + k->out_from }, bytes + k->out_from,
                      (size_t)k->size - k->out_from) != 0) {
        if (k->undo != NULL) {
            k->undo(hc, buf);
        }
        return refuse(-XEN_EFAULT, "a status cannot be written", addr, k->size);
    }
    return 0;
}

int for_each_element(struct hc *hc, const struct element_kind *k)
{
    uint32_t count = (uint32_t)hc->arg[2];
    bool failed = false;

    if ((int32_t)count < 0) {
        return refuse(-XEN_EINVAL, "so many elements", count, 0);
    }
    for (uint32_t n = 0; n < ELEMENTS_AT_ONCE && count != 0; n++, count--) {
        int rc = do_element(hc, k, hc->arg[1], &failed);

        if (rc != 0) {
            return rc;
        }
        hc->arg[1] += k->size;
    }
    hc->arg[2] = count;
    return count != 0 ? hc_again(hc) : 0;
}

int16_t grant_target(const struct hc *hc, domid_t id, struct domain **out)
{
    int rc = hc_target(hc, id, out);

    if (rc != 0) {
        return rc == -XEN_EPERM ? GNTST_permission_denied : GNTST_bad_domain;
    }
    if ((*out)->gnttab == NULL) {
        domain_put(*out);
        return grant_refuse(GNTST_bad_domain, "the domain has no grant table", id, 0);
    }
    return 0;
}

/* An operation that the ABI wants one at a time. */
static int check_single(const struct hc *hc)
{
    return (uint32_t)hc->arg[2] == 1
               ? 0
               : refuse(-XEN_EINVAL, "one element, not so many", hc->arg[2], 0);
}

/* --- Sizes, frames, versions --------------------------------------------------- */

int gnttab_op_query_size(struct hc *hc, void *arg)
{
    struct gnttab_query_size *a = arg;
    struct domain *d;
    int rc = check_single(hc);

    if (rc != 0) {
        return rc;
    }
    a->status = grant_target(hc, a->dom, &d);
    if (a->status != 0) {
        record(hc, a->status, true);
        return 0;
    }
    spin_lock(&d->gnttab->lock);
    /* The first frame comes as soon as somebody wants to see it. */
    a->nr_frames = MAX(d->gnttab->entries.nr, 1u);
    spin_unlock(&d->gnttab->lock);
    a->max_nr_frames = gnttab_frames_max(d);
    domain_put(d);
    return 0;
}

/* Writes where d has its first nr frames mapped; all ones: nowhere. */
static int16_t write_list(struct hc *hc, struct domain *d, uint32_t nr, bool status, uint64_t list)
{
    uint64_t gfns[LIST_AT_ONCE];

    for (uint32_t i = 0; i < nr;) {
        uint32_t n = MIN(nr - i, (uint32_t)LIST_AT_ONCE);

        for (uint32_t k = 0; k < n; k++) {
            gfns[k] = gnttab_frame_gfn(d, i + k, status);
        }
        struct guest_ref to = { list + (uint64_t)i * sizeof(gfns[0]) };
        if (guest_copy_to(hc->v, to, gfns, n * sizeof(gfns[0])) != 0) {
            return grant_refuse(GNTST_bad_virt_addr, "the list cannot be written", to.addr, n);
        }
        i += n;
    }
    return 0;
}

/* gnttab_grow() in the words of the ABI. */
static int16_t grow(struct domain *d, uint32_t nr)
{
    int rc = gnttab_grow(d, nr);

    return (int16_t)(rc == 0 ? 0 : rc == -XEN_ENOMEM ? GNTST_no_space : GNTST_general_error);
}

int gnttab_op_setup_table(struct hc *hc, void *arg)
{
    struct gnttab_setup_table *a = arg;
    struct domain *d;
    int rc = check_single(hc);

    if (rc != 0) {
        return rc;
    }
    a->status = grant_target(hc, a->dom, &d);
    if (a->status == 0) {
        a->status = grow(d, a->nr_frames);
        if (a->status == 0) {
            a->status = write_list(hc, d, a->nr_frames, false, a->frame_list);
        }
        domain_put(d);
    }
    if (a->status != 0) {
        record(hc, a->status, true);
    }
    return 0;
}

static int16_t status_frames(struct hc *hc, struct domain *d,
                             const struct gnttab_get_status_frames *a)
{
    spin_lock(&d->gnttab->lock);
    uint32_t nr = d->gnttab->states.nr, version = d->gnttab->version;
    spin_unlock(&d->gnttab->lock);

    if (version != 2) {
        return grant_refuse(GNTST_general_error, "states, and the grant table is of this version",
                            version, 0);
    }
    if (a->nr_frames > nr) {
        return grant_refuse(GNTST_general_error, "more frames of states than there are",
                            a->nr_frames, nr);
    }
    return write_list(hc, d, a->nr_frames, true, a->frame_list);
}

int gnttab_op_get_status_frames(struct hc *hc, void *arg)
{
    struct gnttab_get_status_frames *a = arg;
    struct domain *d;
    int rc = check_single(hc);

    if (rc != 0) {
        return rc;
    }
    a->status = grant_target(hc, a->dom, &d);
    if (a->status == 0) {
        a->status = status_frames(hc, d, a);
        domain_put(d);
    }
    if (a->status != 0) {
        record(hc, a->status, true);
    }
    return 0;
}

/* The version in effect is told also when it stays what it was. */
int gnttab_op_set_version(struct hc *hc, void *arg)
{
    struct guest_ref at = { hc->arg[1] };
    struct gnttab_set_version a;

    if (guest_copy_from(hc->v, &a, at, sizeof(a)) != 0) {
        return refuse(-XEN_EFAULT, "the version cannot be read", at.addr, 0);
    }
    if (hc->d->gnttab == NULL) {
        return refuse(-XEN_EOPNOTSUPP, "the domain has no grant table", hc->d->id, 0);
    }
    int rc = gnttab_set_version(hc->d, a.version);
    spin_lock(&hc->d->gnttab->lock);
    a.version = hc->d->gnttab->version;
    spin_unlock(&hc->d->gnttab->lock);
    if (guest_copy_to(hc->v, at, &a, sizeof(a)) != 0) {
        rc = refuse(-XEN_EFAULT, "the version cannot be written", at.addr, 0);
    }
    return rc;
}

int gnttab_op_get_version(struct hc *hc, void *arg)
{
    struct gnttab_get_version *a = arg;
    struct domain *d;
    int rc = hc_target(hc, a->dom, &d);

    if (rc != 0) {
        return rc;
    }
    if (d->gnttab != NULL) {
        spin_lock(&d->gnttab->lock);
        a->version = d->gnttab->version;
        spin_unlock(&d->gnttab->lock);
    } else {
        a->version = 0;
    }
    domain_put(d);
    return 0;
}

/* --- Swap -------------------------------------------------------------------- */

static void swap_words(uint64_t *a, uint64_t *b, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        uint64_t was = atomic_load_relaxed(&a[i]);

        atomic_store_relaxed(&a[i], atomic_load_relaxed(&b[i]));
        atomic_store_relaxed(&b[i], was);
    }
}

static bool is_in_use(const struct gnttab *t, grant_ref_t ref)
{
    const struct grant_pins *pins = t->entries.page[ref / grants_per_frame(t)].pins;
    uint32_t i = ref % grants_per_frame(t);

    return pins != NULL && (pins[i].reads | pins[i].writes) != 0;
}

static uint64_t *entry_words(struct gnttab *t, grant_ref_t ref)
{
    uint32_t per = grants_per_frame(t);

    return guest_shared_word(&t->entries.page[ref / per].shared, ref % per * (PAGE_SIZE / per));
}

static int16_t swap_locked(struct gnttab *t, const struct gnttab_swap_grant_ref *a)
{
    grant_ref_t last = MAX(a->ref_a, a->ref_b);

    if (last >= gnttab_entries_locked(t)) {
        return grant_refuse(GNTST_bad_gntref, "no such entry", last, gnttab_entries_locked(t));
    }
    if (a->ref_a == a->ref_b) {
        return 0;
    }
    if (is_in_use(t, a->ref_a) || is_in_use(t, a->ref_b)) {
        return grant_refuse(GNTST_eagain, "the grants are in use", a->ref_a, a->ref_b);
    }
    swap_words(entry_words(t, a->ref_a), entry_words(t, a->ref_b), t->version);
    return 0;
}

static int swap_one(struct hc *hc, void *element)
{
    struct gnttab *t = hc->d->gnttab;

    spin_lock(&t->lock);
    int16_t status = swap_locked(t, element);
    spin_unlock(&t->lock);
    return status;
}

int gnttab_op_swap_grant_ref(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_swap_grant_ref, status),
                                              .act = swap_one };

    return for_each_element(hc, &kind);
}

/* --- What translated guests do not have ---------------------------------------- */

/* Who does not know machine frames gives none away; the page stays the caller's. */
static int transfer_one(struct hc *hc, void *element)
{
    const struct gnttab_transfer *a = element;

    return grant_refuse(GNTST_bad_page, "pages of translated guests are not transferred", a->mfn,
                        a->domid);
}

int gnttab_op_transfer(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_transfer, status),
                                              .act = transfer_one };

    return for_each_element(hc, &kind);
}

/* --- Caches ------------------------------------------------------------------ */

/* The frame may be the caller's business: it maps a grant of it, or it is its own RAM. */
static bool may_flush(struct domain *d, mfn_t m)
{
    enum p2m_type type = P2M_INVALID;

    if (maptrack_has_frame(d, m)) {
        return true;
    }
    /* Only a guest whose addresses are the machine's knows its own frames. */
    return mfn_eq(p2m_lookup(d, gfn(m.n), &type, NULL), m) &&
           (type == P2M_RAM_RW || type == P2M_RAM_RO);
}

/* An invalidation writes dirty lines back first: nobody gets to see what was there before. */
static int cache_flush_one(struct hc *hc, const struct gnttab_cache_flush *a)
{
    mfn_t m = hpa_to_mfn(hpa(a->a.dev_bus_addr));

    if ((a->op & GNTTAB_CACHE_SOURCE_GREF) != 0) {
        return refuse(-XEN_EOPNOTSUPP, "a reference says nothing without its domain", a->op, 0);
    }
    if ((a->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)) != 0 ||
        (uint32_t)a->offset + a->length > PAGE_SIZE || a->offset >= PAGE_SIZE) {
        return refuse(-XEN_EINVAL, "no such operation on a part of a page", a->op,
                      (uint64_t)a->offset << 16 | a->length);
    }
    if (a->length == 0 || a->op == 0) {
        return 0;
    }
    if (!may_flush(hc->d, m)) {
        return refuse(-XEN_EPERM, "a frame that the caller has not", a->a.dev_bus_addr, 0);
    }
    char *bytes = frame_map_local(hc->d->hv, m);
    if ((a->op & GNTTAB_CACHE_INVAL) != 0) {
        arch_cache_clean_invalidate(bytes + a->offset, a->length);
    } else {
        arch_cache_clean(bytes + a->offset, a->length);
    }
    frame_unmap(hc->d->hv, bytes);
    return 0;
}

int gnttab_op_cache_flush(struct hc *hc, void *arg)
{
    uint32_t count = (uint32_t)hc->arg[2];

    if ((int32_t)count < 0) {
        return refuse(-XEN_EINVAL, "so many elements", count, 0);
    }
    for (uint32_t n = 0; n < ELEMENTS_AT_ONCE && count != 0; n++, count--) {
        struct gnttab_cache_flush a;
        int rc;

        if (guest_copy_from(hc->v, &a, (struct guest_ref){ hc->arg[1] }, sizeof(a)) != 0) {
            return refuse(-XEN_EFAULT, "an element cannot be read", hc->arg[1], sizeof(a));
        }
        rc = cache_flush_one(hc, &a);
        if (rc != 0) {
            return rc;
        }
        hc->arg[1] += sizeof(a);
    }
    hc->arg[2] = count;
    return count != 0 ? hc_again(hc) : 0;
}

/* --- Dump -------------------------------------------------------------------- */

/* The next entry in use from *ref on; false: none. */
static bool next_in_use(struct gnttab *t, grant_ref_t *ref, struct grant_pins *out)
{
    bool found = false;

    spin_lock(&t->lock);
    while (*ref < gnttab_entries_locked(t) && !found) {
        const struct grant_page *page = &t->entries.page[*ref / grants_per_frame(t)];

        if (page->pins == NULL) {
            *ref = (*ref / grants_per_frame(t) + 1) * grants_per_frame(t);
            continue;
        }
        found = is_in_use(t, *ref);
        if (found) {
            *out = page->pins[*ref % grants_per_frame(t)];
        } else {
            (*ref)++;
        }
    }
    spin_unlock(&t->lock);
    return found;
}

void gnttab_dump(struct domain *d)
{
    struct gnttab *t = d->gnttab;
    struct grant_pins pins;
    grant_ref_t ref = 0;

    if (t == NULL) {
        return;
    }
    spin_lock(&t->lock);
    uint32_t version = t->version, frames = t->entries.nr, in_use = t->in_use, live = t->maps.live;
    spin_unlock(&t->lock);
    log_info(d->hv, "dom %s: grants version %u, %u of %u frames, %u in use, maps %u of others",
             d->config.name, version, frames, gnttab_frames_max(d), in_use, live);
    for (uint32_t n = 0; n < DUMP_LINES && next_in_use(t, &ref, &pins); n++, ref++) {
        log_info(d->hv, "dom %s: grant %u: %u times to read, %u times to write", d->config.name,
                 ref, pins.reads, pins.writes);
    }
}

static int dump_one(struct hc *hc, void *element)
{
    const struct gnttab_dump_table *a = element;
    struct domain *d;

    /* The console is the host's. */
    if (!hc_is_control(hc)) {
        return grant_refuse(GNTST_permission_denied, "the console is the control domain's", a->dom,
                            0);
    }
    int16_t status = grant_target(hc, a->dom, &d);
    if (status == 0) {
        gnttab_dump(d);
        domain_put(d);
    }
    return status;
}

int gnttab_op_dump_table(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_dump_table, status), .act = dump_one };

    return for_each_element(hc, &kind);
}
