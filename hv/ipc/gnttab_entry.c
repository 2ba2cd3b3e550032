/* SPDX-License-Identifier: MIT */
/*
 * A grant entry is taken into use and given up: the protocol with the guest that wrote it.
 *
 * The guest writes entries whenever it likes, so each use reads its entry once, in whole
 * words, checks the copy and acts on the copy. Marking it "in use" is what keeps an honest
 * guest from taking it back meanwhile:
 * - Version 1 has the marks in the entry itself. They are set by a compare-and-exchange of the
 *   whole entry: what was checked is what was marked.
 * - Version 2 has them in a frame of states, written by the hypervisor alone. The mark
 *   is stored, then the entry is read; the guest clears the entry, then reads the mark.
 *   One of the two sees the other.
 *
 * Pins count the uses of an entry; the marks say what the pins say. A guest that hammers
 * the words of an entry makes exclusive stores fail: attempts are counted, and who
 * does that while a mark is to be taken away is stopped.
 *
 * Locks: gnttab.lock of the granter; nothing else while it is held. Next: gnttab_map.c.
 */
#include <loam/atomic.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "grants.h"

#define TAKE_TRIES 32
#define END_TRIES 10000 /* no honest guest gets there */
#define PINS_MAX UINT16_MAX

/* What an entry says, read once. */
struct entry {
    uint16_t flags;
    domid_t domid;
    uint16_t half[2]; /* version 2: page_off and length, or trans_domid */
    uint64_t frame; /* or gref */
};

static struct entry entry_v1(uint64_t word)
{
    return (struct entry){
        .flags = (uint16_t)(word & ~(uint64_t)GTF_sub_page),
        .domid = (domid_t)(word >> 16),
        .frame = word >> 32,
    };
}

static struct entry entry_v2(uint64_t first, uint64_t second)
{
    return (struct entry){
        .flags = (uint16_t)first,
        .domid = (domid_t)(first >> 16),
        .half = { (uint16_t)(first >> 32), (uint16_t)(first >> 48) },
        .frame = second,
    };
}

static bool is_transitive(const struct entry *e)
{
    return (e->flags & GTF_type_mask) == GTF_transitive;
}

/* The entry allows what q asks for. */
static int16_t check_entry(const struct entry *e, grant_ref_t ref, const struct grant_request *q,
                           uint32_t version)
{
    uint32_t type = e->flags & GTF_type_mask;
    bool transitive = type == GTF_transitive && version == 2;

    if (type != GTF_permit_access && !transitive) {
        return grant_refuse(GNTST_general_error, "the entry grants no access", ref, e->flags);
    }
    if (e->domid != q->by) {
        return grant_refuse(GNTST_general_error, "granted to another domain", ref, e->domid);
    }
    if (!q->readonly && (e->flags & GTF_readonly) != 0) {
        return grant_refuse(GNTST_general_error, "granted to read only", ref, e->flags);
    }
    if (transitive && q->use != GRANT_COPY) {
        return grant_refuse(GNTST_general_error, "a transitive grant, which is for copies only",
                            ref, q->use);
    }
    if ((e->flags & GTF_sub_page) != 0 && q->use == GRANT_MAP) {
        return grant_refuse(GNTST_general_error, "a part of a page, which cannot be mapped", ref,
                            e->flags);
    }
    return 0;
}

/* One attempt, which may fail without a reason; *old is what was found then. */
static bool try_exchange(uint64_t *word, uint64_t *old, uint64_t value)
{
    return __atomic_compare_exchange_n(word, old, value, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static uint64_t *word_v1(struct gnttab *t, grant_ref_t ref)
{
    return guest_shared_word(&t->entries.page[ref / GRANTS_PER_FRAME_V1].shared,
                             ref % GRANTS_PER_FRAME_V1 * sizeof(struct grant_entry_v1));
}

static struct grant_pins *pins_of(struct gnttab *t, grant_ref_t ref)
{
    uint32_t per = grants_per_frame(t);
    struct grant_pins *pins = t->entries.page[ref / per].pins;

    return pins != NULL ? &pins[ref % per] : NULL;
}

static uint64_t marks_of(const struct grant_pins *pins)
{
    uint64_t marks = pins->writes != 0 ? GTF_reading | GTF_writing : 0;

    return pins->reads != 0 ? marks | GTF_reading : marks;
}

void grant_state_write_locked(struct gnttab *t, grant_ref_t ref)
{
    struct guest_shared *s = &t->states.page[ref / GRANT_STATES_PER_FRAME].shared;
    const struct grant_pins *pins = pins_of(t, ref);

    /* What was done to the frame comes first. Partner: the guest's barrier. */
    atomic_store_release(guest_shared_byte(s, ref % GRANT_STATES_PER_FRAME * 2),
                         pins != NULL ? (uint8_t)marks_of(pins) : 0);
}

static int16_t mark_v1(struct gnttab *t, grant_ref_t ref, const struct grant_request *q,
                       struct entry *e)
{
    uint64_t *word = word_v1(t, ref);
    uint64_t marks = GTF_reading | (q->readonly ? 0 : GTF_writing);
    uint64_t old = atomic_load_relaxed(word);

    for (uint32_t n = 0; n < TAKE_TRIES; n++) {
        *e = entry_v1(old);
        int16_t rc = check_entry(e, ref, q, 1);

        if (rc != 0 || try_exchange(word, &old, old | marks)) {
            return rc;
        }
    }
    return grant_refuse(GNTST_general_error, "the entry changes all the time", ref, old);
}

static int16_t mark_v2(struct gnttab *t, grant_ref_t ref, const struct grant_request *q,
                       struct entry *e)
{
    struct grant_page *page = &t->entries.page[ref / GRANTS_PER_FRAME_V2];
    uint64_t *word =
        guest_shared_word(&page->shared, ref % GRANTS_PER_FRAME_V2 * sizeof(union grant_entry_v2));

    grant_state_write_locked(t, ref);
    /* The mark is seen before the entry is read. Partner: the guest's, the other way around. */
    smp_mb();
    /* Acquire: the frame is not older than the flags. Partner: the guest's write barrier. */
    uint64_t first = atomic_load_acquire(&word[0]);
    *e = entry_v2(first, atomic_load_relaxed(&word[1]));
    return check_entry(e, ref, q, 2);
}

/* The pins of an entry in range, made if need be. */
static struct grant_pins *pins_make(struct hv *hv, struct gnttab *t, grant_ref_t ref)
{
    struct grant_page *page = &t->entries.page[ref / grants_per_frame(t)];

    if (unlikely(page->pins == NULL)) {
        page->pins = mem_alloc(hv, GRANTS_PER_FRAME_V1 * sizeof(page->pins[0]));
    }
    return pins_of(t, ref);
}

/* One use more, or less. */
static void count(struct gnttab *t, grant_ref_t ref, struct grant_pins *pins, bool readonly,
                  int change)
{
    bool was = (pins->reads | pins->writes) != 0;

    pins->reads = (uint16_t)(pins->reads + (readonly ? change : 0));
    pins->writes = (uint16_t)(pins->writes + (readonly ? 0 : change));
    bool is = (pins->reads | pins->writes) != 0;
    if (was != is && ref >= GNTTAB_NR_RESERVED_ENTRIES) {
        t->in_use += is ? 1u : -1u;
    }
}

static int16_t take_locked(struct domain *d, grant_ref_t ref, const struct grant_request *q,
                           struct entry *e)
{
    struct gnttab *t = d->gnttab;

    if (t->closed) {
        return grant_refuse(GNTST_bad_domain, "the granter is dying", d->id, ref);
    }
    if (ref >= gnttab_entries_locked(t)) {
        return grant_refuse(GNTST_bad_gntref, "no such entry", ref, gnttab_entries_locked(t));
    }
    struct grant_pins *pins = pins_make(d->hv, t, ref);
    if (pins == NULL) {
        return grant_refuse(GNTST_no_space, "no memory to count uses", ref, 0);
    }
    if (pins->reads == PINS_MAX || pins->writes == PINS_MAX) {
        return grant_refuse(GNTST_general_error, "in use too often", ref, PINS_MAX);
    }
    count(t, ref, pins, q->readonly, 1);
    int16_t rc = t->version == 1 ? mark_v1(t, ref, q, e) : mark_v2(t, ref, q, e);
    if (rc != 0) {
        count(t, ref, pins, q->readonly, -1);
        if (t->version == 2) {
            grant_state_write_locked(t, ref);
        }
    }
    return rc;
}

static int16_t take_entry(struct domain *d, grant_ref_t ref, const struct grant_request *q,
                          struct entry *e)
{
    if (d->gnttab == NULL) {
        return grant_refuse(GNTST_bad_gntref, "the granter has no grant table", d->id, ref);
    }
    spin_lock(&d->gnttab->lock);
    int16_t rc = take_locked(d, ref, q, e);
    spin_unlock(&d->gnttab->lock);
    return rc;
}

/* Takes the marks away that the pins do not ask for any more. False: the guest does not let it. */
static bool unmark_v1(struct gnttab *t, grant_ref_t ref, const struct grant_pins *pins)
{
    uint64_t gone = ~marks_of(pins) & (GTF_reading | GTF_writing);
    uint64_t *word = word_v1(t, ref);
    uint64_t old = atomic_load_relaxed(word);

    for (uint32_t n = 0; n < END_TRIES && (old & gone) != 0; n++) {
        /* Release: the frame's bytes before that. Partner: the guest's exchange of the flags. */
        if (try_exchange(word, &old, old & ~gone)) {
            return true;
        }
    }
    return (old & gone) == 0;
}

void grant_end(struct domain *d, grant_ref_t ref, bool readonly)
{
    struct gnttab *t = d->gnttab;
    bool honest = true;

    spin_lock(&t->lock);
    if (!t->closed) {
        struct grant_pins *pins = pins_of(t, ref);

        count(t, ref, pins, readonly, -1);
        if (t->version == 1) {
            honest = unmark_v1(t, ref, pins);
        } else {
            grant_state_write_locked(t, ref);
        }
    }
    spin_unlock(&t->lock);
    if (unlikely(!honest)) {
        domain_crash(d, "writes grant entry %u so often that nobody else can", ref);
    }
}

/* Gets the frame of an entry that grants one. */
static int16_t get_frame(struct domain *d, const struct entry *e, bool readonly, struct grant *g)
{
    uint32_t want = 1u << P2M_RAM_RW | (readonly ? 1u << P2M_RAM_RO : 0);
    bool part = (e->flags & GTF_sub_page) != 0;

    g->start = part ? e->half[0] : 0;
    g->end = part ? MIN((uint32_t)e->half[0] + e->half[1], (uint32_t)PAGE_SIZE) : PAGE_SIZE;
    g->frame = p2m_get_frame(d, gfn(e->frame), want, NULL);
    return !mfn_is_none(g->frame)
               ? 0
               : grant_refuse(GNTST_bad_page, "no RAM of the granter is there", d->id, e->frame);
}

/* Takes what the transitive grant e of d leads to. */
static int16_t take_through(struct domain *d, const struct entry *e, bool readonly, struct grant *g)
{
    struct grant_request q = { .by = d->id, .readonly = readonly, .use = GRANT_COPY_DIRECT };
    struct domain *through = domain_lookup(d->hv, e->half[0]);
    struct entry inner;

    if (through == NULL) {
        return grant_refuse(GNTST_bad_domain, "a transitive grant of no domain", d->id, e->half[0]);
    }
    int16_t rc = through != d ? take_entry(through, (grant_ref_t)e->frame, &q, &inner)
                              : grant_refuse(GNTST_general_error, "transitive to itself", d->id, 0);
    if (rc == 0) {
        rc = get_frame(through, &inner, readonly, g);
        if (rc != 0) {
            grant_end(through, (grant_ref_t)e->frame, readonly);
        }
    }
    if (rc != 0) {
        domain_put(through);
        return rc;
    }
    g->through = through;
    g->through_ref = (grant_ref_t)e->frame;
    return 0;
}

int16_t grant_take(struct domain *granter, grant_ref_t ref, const struct grant_request *q,
                   struct grant *g)
{
    struct entry e;
    int16_t rc = take_entry(granter, ref, q, &e);

    if (rc != 0) {
        return rc;
    }
    g->granter = granter;
    g->through = NULL;
    g->ref = ref;
    g->readonly = q->readonly;
    rc = is_transitive(&e) ? take_through(granter, &e, q->readonly, g)
                           : get_frame(granter, &e, q->readonly, g);
    if (rc != 0) {
        grant_end(granter, ref, q->readonly);
    }
    return rc;
}

void grant_put(struct grant *g)
{
    frame_put(g->granter->hv, g->frame);
    if (g->through != NULL) {
        grant_end(g->through, g->through_ref, g->readonly);
        domain_put(g->through);
    }
    grant_end(g->granter, g->ref, g->readonly);
}
