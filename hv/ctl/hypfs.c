/* SPDX-License-Identifier: MIT */
/*
 * hypfs_op: what a control domain reads of the hypervisor by name, as root there does with
 * `xenhypfs` (Xen public header hypfs.h). Nothing can be written.
 *
 *   /buildinfo   who made this hypervisor
 *   /cpupool     a directory for each pool of CPUs, with the granularity of its scheduler
 *   /params      the boot options, one entry each
 *   /loam/refusals   why hypercalls were refused, the newest last (docs/refusals.md)
 *
 * The entries that are always there are a table; those of a few directories are made from what they
 * show. Contents are written to the caller's buffer as they come: nothing is kept between
 * calls, and a text may have changed when a caller comes back with a larger buffer.
 */
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/plan.h>
#include <loam/printf.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/string.h>
#include <xen/errno.h>
#include <xen/hypfs.h>
#include <xen/version.h>

#include "refusal_text.h"

#define NAME_MAX 64
#define PATH_SIZE 128 /* no path here takes more, with its zero */

/* Where contents go: into the caller's memory while they fit, and counted. */
struct sink {
    struct vcpu *v; /* NULL: counted only */
    struct guest_ref to;
    uint64_t room;
    uint64_t length;
    int rc; /* of the first copy that failed */
};

static void put(struct sink *s, const void *bytes, size_t size)
{
    if (s->v != NULL && s->rc == 0 && s->length + size <= s->room) {
        s->rc = guest_copy_to(s->v, (struct guest_ref){ s->to.addr + s->length }, bytes, size);
    }
    s->length += size;
}

/* A string ends with its zero. */
static void put_string(struct sink *s, const char *text) { put(s, text, strlen(text) + 1); }

static void put_uint(struct sink *s, uint32_t value) { put(s, &value, sizeof(value)); }

/* --- What entries hold --------------------------------------------------- */

static void show_extra(struct hv *hv, struct sink *s) { put_string(s, LOAM_EXTRAVERSION); }
static void show_major(struct hv *hv, struct sink *s) { put_uint(s, XEN_ABI_MAJOR); }
static void show_minor(struct hv *hv, struct sink *s) { put_uint(s, XEN_ABI_MINOR); }
static void show_compiler(struct hv *hv, struct sink *s) { put_string(s, __VERSION__); }
static void show_maker(struct hv *hv, struct sink *s) { put_string(s, LOAM_COMPILE_BY); }
static void show_nothing(struct hv *hv, struct sink *s) { put_string(s, ""); }

static void show_refusals(struct hv *hv, struct sink *s)
{
    uint64_t end = refusal_count(hv);
    const char *between = "";

    for (uint64_t i = end > REFUSALS_KEPT ? end - REFUSALS_KEPT : 0; i < end; i++) {
        char line[REFUSAL_TEXT_MAX];
        struct refusal r;

        if (refusal_read(hv, i, &r)) {
            refusal_text(hv, &r, line);
            put(s, between, strlen(between));
            put(s, line, strlen(line));
            between = "\n"; /* none behind the last: the tool prints it */
        }
    }
    put(s, "", 1);
}

static const struct entry {
    const char *path;
    void (*show)(struct hv *hv, struct sink *s); /* NULL: a directory */
    uint8_t type;
} entries[] = {
    { "/buildinfo", NULL, XEN_HYPFS_TYPE_DIR },
    { "/buildinfo/changeset", show_nothing, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/compileinfo", NULL, XEN_HYPFS_TYPE_DIR },
    { "/buildinfo/compileinfo/compile_by", show_maker, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/compileinfo/compile_date", show_nothing, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/compileinfo/compile_domain", show_nothing, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/compileinfo/compiler", show_compiler, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/version", NULL, XEN_HYPFS_TYPE_DIR },
    { "/buildinfo/version/extra", show_extra, XEN_HYPFS_TYPE_STRING },
    { "/buildinfo/version/major", show_major, XEN_HYPFS_TYPE_UINT },
    { "/buildinfo/version/minor", show_minor, XEN_HYPFS_TYPE_UINT },
    { "/cpupool", NULL, XEN_HYPFS_TYPE_DIR },
    { "/loam", NULL, XEN_HYPFS_TYPE_DIR },
    { "/loam/refusals", show_refusals, XEN_HYPFS_TYPE_STRING },
    { "/params", NULL, XEN_HYPFS_TYPE_DIR },
};

/* --- Boot options -------------------------------------------------------- */

/* One word of the options, "name=value" or "name". */
struct option {
    char name[NAME_MAX];
    const char *value; /* up to `size` bytes */
    size_t size;
};

/* The next word at *at that is a name for an entry. False: there is none. */
static bool next_option(const char **at, struct option *o)
{
    for (;;) {
        const char *s = *at;

        while (*s == ' ') {
            s++;
        }
        size_t n = 0, word = 0;
        while (s[word] != '\0' && s[word] != ' ') {
            word++;
        }
        while (n < word && s[n] != '=') {
            n++;
        }
        if (word == 0) {
            return false;
        }
        *at = s + word;
        o->value = s + MIN(n + 1, word);
        o->size = word - (size_t)(o->value - s);
        if (n != 0 && n < NAME_MAX) {
            memcpy(o->name, s, n);
            o->name[n] = '\0';
            if (strchr(o->name, '/') == NULL) {
                return true;
            }
        }
    }
}

static void show_option(const struct option *o, struct sink *s)
{
    put(s, o->value, o->size);
    put(s, "", 1);
}

/* --- Pools of CPUs ------------------------------------------------------- */

#define POOL_ENTRY "sched-gran"

/* Each CPU is scheduled for itself: Xen's name for that. */
static void show_granularity(struct sink *s) { put_string(s, "cpu"); }

/* The id that name (up to `end`) spells, as we would write it, of a pool that there is. */
static bool pool_of(struct hv *hv, const char *name, const char *end, uint32_t *id)
{
    char text[16];
    struct cpupool_info info;
    uint64_t n = 0;

    for (const char *p = name; p < end; p++) {
        if (*p < '0' || *p > '9' || n > UINT32_MAX) {
            return false;
        }
        n = n * 10 + (uint64_t)(*p - '0');
    }
    size_t length = fmt_print(text, sizeof(text), "%llu", (unsigned long long)n);

    *id = (uint32_t)n;
    return n < CPUPOOL_ANY && length == (size_t)(end - name) && strncmp(text, name, length) == 0 &&
           cpupool_info(hv, *id, &info) == 0 && info.id == *id;
}

/* --- Directories --------------------------------------------------------- */

/* A directory's contents as they grow: each entry is written when the next one is known. */
struct listing {
    struct sink *sink;
    bool waits; /* there is one that was not written yet */
    struct xen_hypfs_direntry e;
    char name[NAME_MAX];
};

static void list_flush(struct listing *l, bool last)
{
    static const char zeros[4];
    size_t name = strlen(l->name) + 1;
    size_t size = ALIGN_UP(XEN_HYPFS_NAME_OFFSET + name, sizeof(uint32_t));
    uint16_t next = last ? 0 : (uint16_t)size;

    if (!l->waits) {
        return;
    }
    put(l->sink, &l->e, sizeof(l->e));
    put(l->sink, &next, sizeof(next));
    put(l->sink, l->name, name);
    put(l->sink, zeros, size - XEN_HYPFS_NAME_OFFSET - name);
    l->waits = false;
}

static void list_add(struct listing *l, const char *name, uint8_t type, uint64_t size)
{
    list_flush(l, false);
    l->waits = true;
    l->e = (struct xen_hypfs_direntry){ .type = type, .encoding = XEN_HYPFS_ENC_PLAIN,
                                        .content_len = (uint32_t)size };
    str_copy(l->name, sizeof(l->name), name);
}

/* The name of path in directory `dir`, NULL: it is not directly in it. */
static const char *name_in(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    if (strncmp(path, dir, n) != 0 || path[n] != '/' || strchr(path + n + 1, '/') != NULL) {
        return NULL;
    }
    return path + n + 1;
}

static void show_dir(struct hv *hv, const char *dir, struct sink *s);

/* Bytes of what e holds. */
static uint64_t length_of(struct hv *hv, const struct entry *e)
{
    struct sink count = { 0 };

    if (e->show != NULL) {
        e->show(hv, &count);
    } else {
        show_dir(hv, e->path, &count);
    }
    return count.length;
}

static void list_options(struct hv *hv, struct listing *l)
{
    const char *at = plan_options(hv);
    struct option o;

    while (next_option(&at, &o)) {
        list_add(l, o.name, XEN_HYPFS_TYPE_STRING, o.size + 1);
    }
}

/* A pool's directory has one entry; what it takes is the same for all. */
static void show_pool(struct sink *s)
{
    struct listing l = { .sink = s };
    struct sink count = { 0 };

    show_granularity(&count);
    list_add(&l, POOL_ENTRY, XEN_HYPFS_TYPE_STRING, count.length);
    list_flush(&l, true);
}

static void list_pools(struct hv *hv, struct listing *l)
{
    struct cpupool_info info = { .id = 0 };
    struct sink count = { 0 };
    char name[16];

    show_pool(&count);
    for (uint32_t id = 0; cpupool_info(hv, id, &info) == 0; id = info.id + 1) {
        fmt_print(name, sizeof(name), "%u", info.id);
        list_add(l, name, XEN_HYPFS_TYPE_DIR, count.length);
    }
    refusal_forget(); /* of the last one, which says that there are no more */
}

/* What is below /cpupool: a pool's directory, or its entry. */
static bool show_pool_path(struct hv *hv, const char *path, struct sink *s, uint8_t *type)
{
    static const char dir[] = "/cpupool/";
    uint32_t id;

    if (strncmp(path, dir, sizeof(dir) - 1) != 0) {
        return false;
    }
    const char *name = path + sizeof(dir) - 1;
    const char *slash = strchr(name, '/');

    if (!pool_of(hv, name, slash != NULL ? slash : name + strlen(name), &id)) {
        return false;
    }
    if (slash == NULL) {
        *type = XEN_HYPFS_TYPE_DIR;
        show_pool(s);
        return true;
    }
    *type = XEN_HYPFS_TYPE_STRING;
    show_granularity(s);
    return strcmp(slash + 1, POOL_ENTRY) == 0;
}

/* Recursion is as deep as the table's paths: a directory's length is asked for by its parent's. */
static void show_dir(struct hv *hv, const char *dir, struct sink *s)
{
    struct listing l = { .sink = s };

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        const char *name = name_in(dir, entries[i].path);

        if (name != NULL) {
            list_add(&l, name, entries[i].type, length_of(hv, &entries[i]));
        }
    }
    if (strcmp(dir, "/params") == 0) {
        list_options(hv, &l);
    } else if (strcmp(dir, "/cpupool") == 0) {
        list_pools(hv, &l);
    }
    list_flush(&l, true);
}

/* --- The hypercall ------------------------------------------------------- */

/* Writes what path names to s, its type to *type. False: nothing has this name. */
static bool show_path(struct hv *hv, const char *path, struct sink *s, uint8_t *type)
{
    const char *at = plan_options(hv);
    struct option o;

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        if (strcmp(path, entries[i].path) == 0) {
            *type = entries[i].type;
            if (entries[i].show != NULL) {
                entries[i].show(hv, s);
            } else {
                show_dir(hv, path, s);
            }
            return true;
        }
    }
    if (strcmp(path, "") == 0) {
        *type = XEN_HYPFS_TYPE_DIR;
        show_dir(hv, "", s);
        return true;
    }
    const char *name = name_in("/params", path);

    while (name != NULL && next_option(&at, &o)) {
        if (strcmp(name, o.name) == 0) {
            *type = XEN_HYPFS_TYPE_STRING;
            show_option(&o, s);
            return true;
        }
    }
    return show_pool_path(hv, path, s, type);
}

/* Copies the path, of `size` bytes with its zero; "/" becomes "". */
static int read_path(struct hc *hc, struct guest_ref from, uint64_t size,
                     char path[PATH_SIZE])
{
    if (size < 2 || size > XEN_HYPFS_MAX_PATHLEN) {
        return refuse(-XEN_EINVAL, "bytes of a path, with its zero", size, XEN_HYPFS_MAX_PATHLEN);
    }
    if (size > PATH_SIZE) {
        return refuse(-XEN_ENOENT, "nothing has so long a name", size, PATH_SIZE);
    }
    int rc = guest_copy_from(hc->v, path, from, size);

    if (rc != 0) {
        return rc;
    }
    if (path[size - 1] != '\0' || strlen(path) != size - 1) {
        return refuse(-XEN_EINVAL, "a path ends with a zero and has no other", size, 0);
    }
    if (path[0] != '/') {
        return refuse(-XEN_EINVAL, "a path begins with /", (uint8_t)path[0], 0);
    }
    if (path[1] == '\0') {
        path[0] = '\0';
    }
    return 0;
}

int hypfs_op_get_version(struct hc *hc, void *arg)
{
    if ((hc->arg[1] | hc->arg[2] | hc->arg[3] | hc->arg[4]) != 0) {
        return refuse(-XEN_EINVAL, "arguments that must be zero", hc->arg[1], hc->arg[2]);
    }
    hc->ret = XEN_HYPFS_VERSION;
    return 0;
}

/* Arguments: 1 the path, 2 its bytes, 3 the buffer, 4 its bytes. */
int hypfs_op_read(struct hc *hc, void *arg)
{
    char path[PATH_SIZE];
    struct xen_hypfs_direntry e = { .encoding = XEN_HYPFS_ENC_PLAIN };
    struct guest_ref to = { hc->arg[3] };
    uint64_t size = hc->arg[4];
    int rc = read_path(hc, (struct guest_ref){ hc->arg[1] }, hc->arg[2], path);

    if (rc != 0) {
        return rc;
    }
    if (size < sizeof(e)) {
        return refuse(-XEN_ENOBUFS, "bytes of the buffer, at least", size, sizeof(e));
    }
    struct sink s = { .v = hc->v, .to = { to.addr + sizeof(e) }, .room = size - sizeof(e) };

    if (!show_path(hc->d->hv, path, &s, &e.type)) {
        return refuse(-XEN_ENOENT, "nothing has this name", 0, 0);
    }
    e.content_len = (uint32_t)s.length;
    rc = s.rc != 0 ? s.rc : guest_copy_to(hc->v, to, &e, sizeof(e));
    if (rc == 0 && s.length > s.room) {
        rc = refuse_unsaid(-XEN_ENOBUFS); /* the caller comes back with as much as it now knows */
    }
    return rc;
}

int hypfs_op_write(struct hc *hc, void *arg)
{
    return refuse(-XEN_EACCES, "nothing here can be written", 0, 0);
}
