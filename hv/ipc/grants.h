/* SPDX-License-Identifier: MIT */
/*
 * What the files of the grant tables share. One struct gnttab per domain: the frames of
 * entries that it shares with its guest, how often each entry is in use, and the
 * mappings that the domain made of others' grants (handles).
 *
 * gnttab.c        the table itself: frames, versions, its end
 * gnttab_entry.c  an entry is taken into use and given up: the protocol with its guest
 * gnttab_map.c    handles: map, unmap
 * gnttab_copy.c   copies
 * gnttab_op.c     the operations' arrays, and the small operations
 */
#ifndef IPC_GRANTS_H
#define IPC_GRANTS_H

#include <loam/domain.h>
#include <loam/gnttab.h>
#include <loam/guest_copy.h>
#include <loam/hypercall.h>
#include <loam/refusal.h>
#include <xen/grant_table.h>

#define GRANTS_PER_FRAME_V1 512u
#define GRANTS_PER_FRAME_V2 256u
#define GRANT_STATES_PER_FRAME 2048u /* of version 2, two bytes each */
#define HANDLES_PER_MAPTRACK_FRAME 256u /* as the limit of a domain counts them */
#define HANDLES_PER_CHUNK 128u
#define MAPPING_BUCKETS 256u

/* How often an entry is in use now. */
struct grant_pins {
    uint16_t reads;
    uint16_t writes; /* to read and write */
};

/* A frame of entries, or of states. */
struct grant_page {
    struct guest_shared shared;
    struct grant_pins *pins; /* GRANTS_PER_FRAME_V1 of them; NULL: no entry here was ever in use */
    gfn_t placed; /* where the domain last mapped it, GFN_NONE */
};

/* Pages of one kind. */
struct grant_pages {
    struct grant_page *page; /* `room` of them */
    uint32_t nr, room;
};

enum mapping_state {
    MAPPING_FREE = 0,
    MAPPING_BUSY, /* some CPU makes or ends it */
    MAPPING_LIVE,
};

/* A grant that a domain mapped. A handle is its number. Handles + 1 in links, 0: none. */
struct grant_mapping {
    struct domain *granter; /* with a reference, unless it is free */
    uint64_t mfn : 40; /* the p2m's mapping has the reference to it */
    uint64_t prev : 24; /* LIVE: in its bucket */
    uint64_t gfn : 40; /* where it is mapped */
    uint64_t next : 24; /* LIVE: in its bucket; FREE: the next free one */
    grant_ref_t ref;
    uint8_t state; /* enum mapping_state */
    bool readonly;
    uint16_t spare;
};

/* All in it: [gnttab.lock]. */
struct maptrack {
    struct grant_mapping **chunk; /* `room` pointers, `nr` of them set */
    uint32_t *bucket; /* by frame: a mapping of it + 1 */
    uint32_t nr, room;
    uint32_t free; /* handle + 1 */
    uint32_t fresh; /* handles that were never used begin here */
    uint32_t live;
    uint32_t closed; /* cursor of gnttab_close() */
};

struct gnttab {
    struct spinlock lock; /* LOCK_RANK_GRANT; of two tables never both are held */
    uint8_t version; /* [lock] */
    bool closed; /* [lock] nothing is granted any more */
    uint32_t in_use; /* [lock] entries in use, but for the reserved ones */
    struct grant_pages entries, states; /* [lock] */
    struct maptrack maps; /* [lock] */
};

static inline uint32_t gnttab_frames_max(const struct domain *d)
{
    return d->config.grant_frames_max != 0 ? d->config.grant_frames_max : GNTTAB_FRAMES_DEFAULT;
}

static inline uint32_t grants_per_frame(const struct gnttab *t)
{
    return t->version == 1 ? GRANTS_PER_FRAME_V1 : GRANTS_PER_FRAME_V2;
}

static inline uint32_t gnttab_entries_locked(const struct gnttab *t)
{
    return t->entries.nr * grants_per_frame(t);
}

/* Notes why an element fails; returns its status. */
static inline int16_t grant_refuse(int16_t status, const char *check, uint64_t a, uint64_t b)
{
    refuse(status, check, a, b);
    return status; /* the compiler sees that it is not 0 */
}

/* hc_target() for an operation that answers with a status. */
int16_t grant_target(const struct hc *hc, domid_t id, struct domain **out);

/* --- gnttab.c ---------------------------------------------------------------- */

/* The table has at least nr frames then. Errors: as gnttab_frame(). Locks: grant, mem, frames. */
int gnttab_grow(struct domain *d, uint32_t nr);
/* What gnttab_frame_placed() was told, if it is so; else all ones. Locks: grant, p2m. */
uint64_t gnttab_frame_gfn(struct domain *d, uint32_t index, bool status);
/*
 * Errors: -XEN_EINVAL no version, -XEN_ENOSYS not for d, -XEN_EBUSY grants are in use,
 * -XEN_ERANGE a reserved entry says what the version cannot, -XEN_ENOMEM. Locks: grant, mem.
 */
int gnttab_set_version(struct domain *d, uint32_t version);

/* --- gnttab_entry.c ---------------------------------------------------------- */

enum grant_use {
    GRANT_MAP,
    GRANT_COPY, /* sub-page and transitive grants, too */
    GRANT_COPY_DIRECT, /* what a transitive grant leads to */
};

/* What somebody wants to do with a grant. */
struct grant_request {
    domid_t by;
    bool readonly;
    enum grant_use use;
};

/* A grant in use, from grant_take() to grant_put(). */
struct grant {
    struct domain *granter; /* the user's reference */
    struct domain *through; /* transitive: who granted it to the granter, referenced; or NULL */
    grant_ref_t ref, through_ref;
    bool readonly;
    mfn_t frame; /* with a reference */
    uint32_t start, end; /* the bytes of it that may be used */
};

/*
 * Takes entry ref of granter into use: checks it, marks it for its guest, gets its frame. It
 * is read once. Locks: grant of granter, p2m of granter; one after the other. Returns 0
 * or GNTST_*, then nothing has changed.
 */
int16_t grant_take(struct domain *granter, grant_ref_t ref, const struct grant_request *q,
                   struct grant *g);
/* Ends the use, all of it. */
void grant_put(struct grant *g);
/* The same of what a mapping was: its frame's reference is the p2m's. */
void grant_end(struct domain *granter, grant_ref_t ref, bool readonly);

/* Writes the state of a version 2 entry as its pins say. */
void grant_state_write_locked(struct gnttab *t, grant_ref_t ref);

/* --- gnttab_map.c ------------------------------------------------------------ */

/* Ends d's next mappings, some of them: 0 when none is left, or -XEN_EAGAIN. d is dying. */
int maptrack_close(struct domain *d);
/* d maps frame m by a grant now. */
bool maptrack_has_frame(struct domain *d, mfn_t m);

#endif
