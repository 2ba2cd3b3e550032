/* SPDX-License-Identifier: MIT */
/* ctl/hypfs.c: what a control domain reads by name, as `xenhypfs` does; why calls were refused. */
#include <loam/mem.h>
#include <loam/plan.h>
#include <loam/refusal.h>
#include <xen/domctl.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hypfs.h>
#include <xen/version.h>

#include "../../hv/boot/private.h"
#include "../../hv/ctl/refusal_text.h"
#include "control.h"

#define HYPFS 42
#define GET_VERSION 0
#define READ 1
#define WRITE 2
#define PATH (DOM_RAM + 0x400)
#define ROOM (8 * PAGE_SIZE)
#define NOWHERE UINT64_C(0x7000000000)

static int64_t call(struct control *c, uint32_t op, uint64_t a, uint64_t b, uint64_t d, uint64_t e)
{
    return dom_hypercall5(c->w, 0, HYPFS, (uint64_t[5]){ op, a, b, d, e });
}

/* Reads path with a buffer of `size` bytes; entry and contents in *e and text. */
static int64_t get(struct control *c, const char *path, uint64_t size, struct xen_hypfs_direntry *e,
                   char *text)
{
    control_put(c, 0, PATH, path, strlen(path) + 1);
    int64_t rc = call(c, READ, PATH, strlen(path) + 1, BUF, size);

    if (rc == 0 || rc == -XEN_ENOBUFS) {
        control_get(c, 0, BUF, e, sizeof(*e));
    }
    if (rc == 0) {
        control_get(c, 0, BUF + sizeof(*e), text, e->content_len);
    }
    return rc;
}

static char text[ROOM];

static void check_string(struct control *c, const char *path, const char *want)
{
    struct xen_hypfs_direntry e;

    CHECK_EQ(get(c, path, ROOM, &e, text), 0);
    CHECK_EQ(e.type, XEN_HYPFS_TYPE_STRING);
    CHECK_EQ(e.encoding, XEN_HYPFS_ENC_PLAIN);
    CHECK_EQ(e.max_write_len, 0);
    CHECK_EQ(e.content_len, strlen(want) + 1);
    CHECK_STR(text, want);
}

/* The names in a directory, each with a space behind it; each is readable and as long as said. */
static void list(struct control *c, const char *path, char *names, size_t size)
{
    static char dir[ROOM];
    struct xen_hypfs_direntry e;

    names[0] = '\0';
    CHECK_EQ(get(c, path, ROOM, &e, dir), 0);
    CHECK_EQ(e.type, XEN_HYPFS_TYPE_DIR);
    for (uint32_t at = 0, length = e.content_len; at < length;) {
        struct xen_hypfs_dirlistentry l;
        char full[200], name[64];

        memcpy(&l, dir + at, XEN_HYPFS_NAME_OFFSET);
        snprintf(name, sizeof(name), "%.63s", dir + at + XEN_HYPFS_NAME_OFFSET);
        snprintf(names + strlen(names), size - strlen(names), "%s ", name);
        snprintf(full, sizeof(full), "%.100s/%s", strcmp(path, "/") == 0 ? "" : path, name);
        CHECK_EQ(get(c, full, ROOM, &e, text), 0);
        CHECK_EQ(e.type, l.e.type);
        CHECK_EQ(e.content_len, l.e.content_len);
        CHECK_EQ(at % 4, 0);
        if (l.off_next == 0) {
            CHECK_EQ(length - at, ALIGN_UP(XEN_HYPFS_NAME_OFFSET + strlen(name) + 1, 4));
            return;
        }
        at += l.off_next;
    }
    CHECK_EQ(e.content_len, 0);
}

TEST(the_tree)
{
    struct control c = control_begin();
    char names[200];

    CHECK_EQ(call(&c, GET_VERSION, 0, 0, 0, 0), 1);
    list(&c, "/", names, sizeof(names));
    CHECK_STR(names, "buildinfo cpupool loam params ");
    list(&c, "/buildinfo", names, sizeof(names));
    CHECK_STR(names, "changeset compileinfo version ");
    list(&c, "/buildinfo/compileinfo", names, sizeof(names));
    CHECK_STR(names, "compile_by compile_date compile_domain compiler ");
    list(&c, "/buildinfo/version", names, sizeof(names));
    CHECK_STR(names, "extra major minor ");
    list(&c, "/loam", names, sizeof(names));
    CHECK_STR(names, "refusals ");
    check_string(&c, "/buildinfo/version/extra", LOAM_EXTRAVERSION);

    struct xen_hypfs_direntry e;
    uint32_t minor;
    CHECK_EQ(get(&c, "/buildinfo/version/minor", ROOM, &e, text), 0);
    CHECK_EQ(e.type, XEN_HYPFS_TYPE_UINT);
    CHECK_EQ(e.content_len, 4);
    memcpy(&minor, text, 4);
    CHECK_EQ(minor, XEN_ABI_MINOR);
    control_end(&c);
}

TEST(boot_options_are_entries)
{
    struct control c = control_begin();
    struct plan *plan = calloc(1, sizeof(*plan));
    char names[200];

    list(&c, "/params", names, sizeof(names));
    CHECK_STR(names, "");
    plan->options = "  dom0_mem=512M,max:1G  no-real-mode =odd path/x=1 sched=null=x empty= ";
    c.w->hv->plan = plan;
    list(&c, "/params", names, sizeof(names));
    CHECK_STR(names, "dom0_mem no-real-mode sched empty ");
    check_string(&c, "/params/dom0_mem", "512M,max:1G");
    check_string(&c, "/params/no-real-mode", "");
    check_string(&c, "/params/sched", "null=x");
    check_string(&c, "/params/empty", "");
    plan->options = "last";
    check_string(&c, "/params/last", "");
    c.w->hv->plan = NULL;
    free(plan);
    control_end(&c);
}

TEST(pools_of_cpus_are_directories)
{
    struct control c = control_begin();
    char names[200];
    uint32_t id = 7;

    list(&c, "/cpupool", names, sizeof(names));
    CHECK_STR(names, "0 ");
    list(&c, "/cpupool/0", names, sizeof(names));
    CHECK_STR(names, "sched-gran ");
    world_cpu(c.w, 0);
    CHECK_EQ(cpupool_make(c.w->hv, &id, SCHED_NULL), 0);
    list(&c, "/cpupool", names, sizeof(names));
    CHECK_STR(names, "0 7 ");
    check_string(&c, "/cpupool/7/sched-gran", "cpu");
    world_cpu(c.w, 0);
    CHECK_EQ(cpupool_destroy(c.w->hv, id), 0);
    control_end(&c);
}

TEST(paths_that_are_none)
{
    static const char *const odd[] = { "/x", "/buildinfo/", "/loam/refusals/x", "/params/x", "//",
                                       "/buildinf", "/buildinfo/version/extra2", "/ ", "/cpupool/1",
                                       "/cpupool/00", "/cpupool/", "/cpupool/0/", "/cpupool/0/x",
                                       "/cpupool/99999999999999999999", "/cpupool/4294967296",
                                       "/cpupool/4294967295", "/cpupool/-1" };
    struct control c = control_begin();
    struct xen_hypfs_direntry e;
    char path[1100];

    for (uint32_t i = 0; i < ARRAY_SIZE(odd); i++) {
        CHECK_EQ(get(&c, odd[i], ROOM, &e, text), -XEN_ENOENT);
    }
    CHECK_EQ(get(&c, "loam", ROOM, &e, text), -XEN_EINVAL);
    CHECK_EQ(get(&c, "", ROOM, &e, text), -XEN_EINVAL);
    memset(path, '/', sizeof(path));
    control_put(&c, 0, PATH, path, sizeof(path));
    CHECK_EQ(call(&c, READ, PATH, 10, BUF, ROOM), -XEN_EINVAL); /* no zero at its end */
    control_put(&c, 0, PATH, "/loam\0x", 8);
    CHECK_EQ(call(&c, READ, PATH, 8, BUF, ROOM), -XEN_EINVAL);
    CHECK_EQ(call(&c, READ, PATH, 0, BUF, ROOM), -XEN_EINVAL);
    CHECK_EQ(call(&c, READ, PATH, XEN_HYPFS_MAX_PATHLEN, BUF, ROOM), -XEN_ENOENT);
    CHECK_EQ(call(&c, READ, PATH, XEN_HYPFS_MAX_PATHLEN + 1, BUF, ROOM), -XEN_EINVAL);
    CHECK_EQ(call(&c, READ, PATH, UINT64_MAX, BUF, ROOM), -XEN_EINVAL);
    CHECK_EQ(call(&c, READ, NOWHERE, 6, BUF, ROOM), -XEN_EFAULT);
    control_end(&c);
}

/* A tool asks with a small buffer for the size, and comes back. */
TEST(a_buffer_that_is_too_small)
{
    struct control c = control_begin();
    struct xen_hypfs_direntry e;
    uint64_t refused;

    CHECK_EQ(get(&c, "/buildinfo", 0, &e, text), -XEN_ENOBUFS);
    CHECK_EQ(get(&c, "/buildinfo", sizeof(e) - 1, &e, text), -XEN_ENOBUFS);
    refused = refusal_count(c.w->hv);
    CHECK_EQ(get(&c, "/buildinfo", sizeof(e), &e, text), -XEN_ENOBUFS);
    uint32_t size = e.content_len;
    CHECK(size > 30 && size < 200);
    char canary = 0x5a;
    control_put(&c, 0, BUF + sizeof(e) + size - 1, &canary, 1);
    CHECK_EQ(get(&c, "/buildinfo", sizeof(e) + size - 1, &e, text), -XEN_ENOBUFS);
    control_get(&c, 0, BUF + sizeof(e) + size - 1, &canary, 1);
    CHECK_EQ(canary, 0x5a);
    CHECK_EQ(e.content_len, size);
    CHECK_EQ(get(&c, "/buildinfo", sizeof(e) + size, &e, text), 0);
    CHECK_EQ(e.content_len, size);
    /* Else the text of refusals would grow each time somebody asks how long it is. */
    CHECK_EQ(refusal_count(c.w->hv), refused);
    CHECK_EQ(call(&c, READ, PATH, strlen("/buildinfo") + 1, NOWHERE, ROOM), -XEN_EFAULT);
    control_end(&c);
}

TEST(nothing_is_written_and_no_domain_without_control_reads)
{
    struct control c = control_begin();

    control_put(&c, 0, PATH, "/params/x", 10);
    CHECK_EQ(call(&c, WRITE, PATH, 10, BUF, 1), -XEN_EACCES);
    CHECK_EQ(call(&c, GET_VERSION, 0, 0, 0, 1), -XEN_EINVAL);
    CHECK_EQ(call(&c, GET_VERSION, 1, 0, 0, 0), -XEN_EINVAL);
    for (uint64_t op = 0; op < 3; op++) {
        CHECK_EQ(dom_hypercall(c.w, 1, HYPFS, op, PATH, 6), -XEN_EPERM);
    }
    CHECK_EQ(call(&c, 3, 0, 0, 0, 0), -XEN_ENOSYS);
    control_end(&c);
}

/* The last line of the text. */
static const char *last_line(struct control *c)
{
    struct xen_hypfs_direntry e;

    CHECK_EQ(get(c, "/loam/refusals", ROOM, &e, text), 0);
    CHECK(e.content_len > 2 && text[e.content_len - 1] == '\0' && text[e.content_len - 2] != '\n');
    const char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

TEST(it_says_why)
{
    struct control c = control_begin();
    struct xen_hypfs_direntry e;
    struct xen_hvm_param a = { .domid = DOMID_SELF, .index = 4711 };
    uint32_t header[2] = { 3, 0x99 };

    CHECK_EQ(refusal_count(c.w->hv), 0);
    check_string(&c, "/loam/refusals", "");
    c.w->hv->boot_start = c.w->machine.now - 412 * NS_PER_S - 3125 * NS_PER_US;
    control_put(&c, 1, ARG, &a, sizeof(a));
    CHECK_EQ(dom_hypercall(c.w, 1, 34, 1, ARG, 0), -XEN_EINVAL);
    CHECK_STR(last_line(&c), "412.003125 d1v0 hvm_op get_param EINVAL: no such parameter "
                             "(0x1267 0x27)");

    /* No row, no hypercall, nothing said; an operation in memory. */
    CHECK_EQ(dom_hypercall(c.w, 1, 34, 77, ARG, 0), -XEN_ENOSYS);
    CHECK_STR(last_line(&c), "412.003125 d1v0 hvm_op 77 ENOSYS");
    CHECK_EQ(dom_hypercall(c.w, 0, 28, 5, ARG, 0), -XEN_ENOSYS);
    CHECK_STR(last_line(&c), "412.003125 d0v0 nmi_op 5 ENOSYS");
    CHECK_EQ(dom_hypercall(c.w, 0, 28, UINT64_C(0xffff00001000), 0, 0), -XEN_ENOSYS);
    CHECK_STR(last_line(&c), "412.003125 d0v0 nmi_op 0xffff00001000 ENOSYS");
    CHECK_EQ(dom_hypercall(c.w, 0, 77, 5, 0, 0), -XEN_ENOSYS);
    CHECK_STR(last_line(&c), "412.003125 d0v0 77 5 ENOSYS");
    control_put(&c, 0, ARG, header, sizeof(header));
    CHECK_EQ(dom_hypercall(c.w, 0, 35, ARG, 0, 0), -XEN_EACCES);
    CHECK_STR(last_line(&c), "412.003125 d0v0 sysctl physinfo EACCES: interface version "
                             "(0x99 0x16)");
    CHECK_EQ(get(&c, "/x", ROOM, &e, text), -XEN_ENOENT);
    CHECK_STR(last_line(&c), "412.003125 d0v0 hypfs_op read ENOENT: nothing has this name "
                             "(0 0)");
    control_end(&c);
}

/* What `xl list` and `xl create` ask in passing, answered by an error. */
TEST(a_question_leaves_no_line)
{
    struct control c = control_begin();
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .interface_version = 0x15,
                             .domain = (domid_t)(c.domu->id + 1) };
    struct xen_domctl_set_llc_colors colors = { 0 };

    control_put(&c, 0, ARG, &op, sizeof(op));
    CHECK_EQ(dom_hypercall(c.w, 0, 36, ARG, 0, 0), -XEN_ESRCH);
    CHECK_EQ(dom_hypercall(c.w, 0, 27, ARG, 0, 0), -XEN_ENOSYS);
    CHECK_EQ(dom_hypercall(c.w, 1, 27, ARG, 0, 0), -XEN_ENOSYS);
    op.cmd = XEN_DOMCTL_set_llc_colors;
    op.domain = c.domu->id;
    memcpy(op.u, &colors, sizeof(colors));
    control_put(&c, 0, ARG, &op, sizeof(op));
    CHECK_EQ(dom_hypercall(c.w, 0, 36, ARG, 0, 0), -XEN_EOPNOTSUPP);
    CHECK_EQ(refusal_count(c.w->hv), 0);

    colors.num_llc_colors = 3;
    memcpy(op.u, &colors, sizeof(colors));
    control_put(&c, 0, ARG, &op, sizeof(op));
    CHECK_EQ(dom_hypercall(c.w, 0, 36, ARG, 0, 0), -XEN_EOPNOTSUPP);
    CHECK(strstr(last_line(&c), "set_llc_colors EOPNOTSUPP: caches are not coloured (0x3 0)"));
    control_end(&c);
}

/* A note of a call that succeeded in the end is not in the way of the next one's. */
TEST(a_note_does_not_outlive_its_hypercall)
{
    struct control c = control_begin();
    struct xen_hvm_param a = { .domid = DOMID_SELF, .index = 4711 };

    world_cpu(c.w, 1);
    CHECK_EQ(refuse(-XEN_EBUSY, "left behind", 1, 2), -XEN_EBUSY);
    control_put(&c, 1, ARG, &a, sizeof(a));
    CHECK_EQ(dom_hypercall(c.w, 1, 34, 1, ARG, 0), -XEN_EINVAL);
    CHECK(strstr(last_line(&c), "EINVAL: no such parameter") != NULL);
    control_end(&c);
}

TEST(the_last_ones_are_kept)
{
    struct control c = control_begin();
    struct xen_hypfs_direntry e;
    uint32_t lines = 0;

    for (uint32_t i = 0; i < REFUSALS_KEPT + 44; i++) {
        CHECK_EQ(dom_hypercall(c.w, 1, 34, 1000 + i, ARG, 0), -XEN_ENOSYS);
    }
    CHECK_EQ(get(&c, "/loam/refusals", ROOM, &e, text), 0);
    for (const char *s = text; (s = strchr(s, '\n')) != NULL; s++) {
        lines++;
    }
    CHECK_EQ(lines, REFUSALS_KEPT - 1);
    CHECK(strstr(text, " hvm_op 1043 ") == NULL && strstr(text, " hvm_op 1044 ") != NULL);
    CHECK(strstr(last_line(&c), " hvm_op 1299 ENOSYS") != NULL);
    control_end(&c);
}

/* The longest line that tables and numbers can make is cut, not overrun. */
TEST(a_long_line_is_cut)
{
    struct world *w = world_create(1, 64);
    char check[400], line[REFUSAL_TEXT_MAX];
    struct refusal r = { .time = UINT64_MAX, .check = check, .rc = -10000, .domain = UINT16_MAX,
                         .vcpu = UINT16_MAX, .hypercall = UINT64_MAX, .op = UINT64_MAX,
                         .value = { UINT64_MAX, UINT64_MAX } };

    memset(check, 'x', sizeof(check));
    check[sizeof(check) - 1] = '\0';
    refusal_text(w->hv, &r, line);
    CHECK_EQ(strlen(line), sizeof(line) - 1);
    CHECK(strstr(line, " error 10000: xxx") != NULL);
    world_destroy(w);
}
