/* SPDX-License-Identifier: MIT */
/*
 * count: a QEMU TCG plugin that counts what each exception level executes between guest markers.
 *
 * Unit of counting: a *segment*, a run of instructions of one translated block in which only the
 * last can leave the block (a memory access, a system instruction, a branch) and only the first can
 * be a marker. One callback in front of it adds the segment's precomputed event counts, so a fault
 * or a marker in the middle of a block never miscounts. QEMU never shares a block between exception
 * levels, so the level read from PSTATE at translation holds for all of it.
 *
 * No inline operations are used: QEMU 10.0 mishandles them for the second and later vCPU when one
 * host thread runs all vCPUs. That one thread (-accel tcg,thread=single) is required: the counters
 * are plain globals shared by all vCPUs.
 *
 * Markers are `movz xzr, #payload`, which changes nothing on any processor:
 *   1iii begin interval iii             2iii end interval iii
 *   6iii begin asynchronous interval iii, closing any other that is open unmeasured
 *   5000 end the open asynchronous interval, if there is one
 *   8iii end asynchronous interval iii; another one open is dropped and counted as stray
 *   4iii point iii on the timeline      7000 abandon all open intervals
 *   3000 write the report
 *
 * Arguments: out=FILE, profile=EL (executed blocks of that level with their addresses),
 * interval=ID (profile only while interval ID is open, and give the path of its last sample, block
 * by block). README.md describes the report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qemu_api.h"

enum { NR_EL = 4, NR_IDS = 4096, MAX_SAMPLES = 4096, MAX_POINTS = 1024, MAX_PATH = 65536 };

enum event { INSN, SYSREG, SYSOP, TLBI, BARRIER, LOAD, STORE, ATOMIC, ERET, NR_EVENTS };

static const char *const event_name[NR_EVENTS] = {
    "insn", "sysreg", "sysop", "tlbi", "barrier", "load", "store", "atomic", "eret",
};

/* The top four bits of a marker's payload. */
enum marker {
    MARK_BEGIN = 1,
    MARK_END = 2,
    MARK_REPORT = 3,
    MARK_POINT = 4,
    MARK_ASYNC_END = 5,
    MARK_ASYNC_BEGIN = 6,
    MARK_ABANDON = 7,
    MARK_ASYNC_END_ID = 8,
};

struct counts {
    uint64_t n[NR_EL][NR_EVENTS];
};

struct segment {
    uint64_t vaddr;
    uint64_t runs; /* while the profile is on */
    uint16_t n[NR_EVENTS];
    uint8_t el;
    struct segment *next;
};

struct interval {
    bool open;
    unsigned int stray; /* ends that found another interval open */
    unsigned int nr_samples;
    struct counts start;
    struct counts *samples;
};

struct point {
    unsigned int id;
    unsigned int vcpu;
    struct counts at;
};

static struct counts now;
static struct interval intervals[NR_IDS];
static int async_id = -1;
static struct point points[MAX_POINTS];
static unsigned int nr_points;
static struct segment *segments;
static bool reported; /* a guest asked for the report: the exit must not change it */

static FILE *out;
static int profile_el = -1;
static int profile_interval = -1;
static struct segment *path[MAX_PATH]; /* of the profiled interval's latest sample */
static unsigned int path_length;
static struct qemu_plugin_register *pstate;
static struct glib_byte_array *pstate_bytes;

PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_API;

/* ---- report ---- */

static void write_counts(const struct counts *c)
{
    for (int el = 0; el < NR_EL; el++) {
        for (int e = 0; e < NR_EVENTS; e++) {
            fprintf(out, " %" PRIu64, c->n[el][e]);
        }
    }
    fputc('\n', out);
}

static void write_interval(unsigned int id, const struct interval *iv)
{
    if (iv->stray != 0) {
        fprintf(out, "stray %u %u\n", id, iv->stray);
    }
    for (unsigned int i = 0; i < iv->nr_samples; i++) {
        fprintf(out, "sample %u", id);
        write_counts(&iv->samples[i]);
    }
}

static void write_report(void)
{
    rewind(out);
    if (ftruncate(fileno(out), 0) != 0) {
        perror("count: cannot truncate the report");
    }
    fputs("events", out);
    for (int e = 0; e < NR_EVENTS; e++) {
        fprintf(out, " %s", event_name[e]);
    }
    fputc('\n', out);
    for (unsigned int id = 0; id < NR_IDS; id++) {
        write_interval(id, &intervals[id]);
    }
    for (unsigned int i = 0; i < nr_points; i++) {
        fprintf(out, "point %u %u", points[i].id, points[i].vcpu);
        write_counts(&points[i].at);
    }
    fputs("total", out);
    write_counts(&now);
    for (const struct segment *s = segments; s != NULL; s = s->next) {
        if (s->runs != 0) {
            fprintf(out, "block 0x%" PRIx64 " %u %" PRIu64 "\n", s->vaddr, s->n[INSN], s->runs);
        }
    }
    for (unsigned int i = 0; i < path_length; i++) {
        fprintf(out, "path 0x%" PRIx64 " %u\n", path[i]->vaddr, path[i]->n[INSN]);
    }
    fputs("end\n", out);
    fflush(out);
}

/* ---- markers ---- */

static void interval_begin(unsigned int id)
{
    intervals[id].open = true;
    intervals[id].start = now;
    if ((int)id == profile_interval) {
        path_length = 0;
    }
}

static void interval_end(unsigned int id)
{
    struct interval *iv = &intervals[id];

    if (!iv->open) {
        return;
    }
    iv->open = false;
    if (iv->samples == NULL) {
        iv->samples = calloc(MAX_SAMPLES, sizeof(*iv->samples));
    }
    if (iv->samples == NULL || iv->nr_samples == MAX_SAMPLES) {
        return;
    }
    struct counts *c = &iv->samples[iv->nr_samples++];
    for (int el = 0; el < NR_EL; el++) {
        for (int e = 0; e < NR_EVENTS; e++) {
            c->n[el][e] = now.n[el][e] - iv->start.n[el][e];
        }
    }
}

static void async_begin(unsigned int id)
{
    if (async_id >= 0) {
        intervals[async_id].open = false;
    }
    async_id = (int)id;
    interval_begin(id);
}

static void async_end(void)
{
    if (async_id >= 0) {
        interval_end((unsigned int)async_id);
    }
    async_id = -1;
}

static void async_end_id(unsigned int id)
{
    if (async_id == (int)id) {
        async_end();
    } else if (async_id >= 0) {
        intervals[id].stray++;
        intervals[async_id].open = false;
        async_id = -1;
    }
}

static void abandon_all(void)
{
    for (unsigned int id = 0; id < NR_IDS; id++) {
        intervals[id].open = false;
    }
    async_id = -1;
}

static void point_add(unsigned int id, unsigned int vcpu)
{
    if (nr_points < MAX_POINTS) {
        points[nr_points++] = (struct point){ .id = id, .vcpu = vcpu, .at = now };
    }
}

static void on_marker(unsigned int vcpu, void *opaque)
{
    unsigned int payload = (unsigned int)(uintptr_t)opaque;
    unsigned int id = payload & 0xfff;

    switch ((enum marker)(payload >> 12)) {
    case MARK_BEGIN:
        interval_begin(id);
        break;
    case MARK_END:
        interval_end(id);
        break;
    case MARK_REPORT:
        reported = true;
        write_report();
        break;
    case MARK_POINT:
        point_add(id, vcpu);
        break;
    case MARK_ASYNC_END:
        async_end();
        break;
    case MARK_ASYNC_BEGIN:
        async_begin(id);
        break;
    case MARK_ABANDON:
        abandon_all();
        break;
    case MARK_ASYNC_END_ID:
        async_end_id(id);
        break;
    }
}

/* ---- decoding: Arm DDI 0487 C4.1, only as far as events need it ---- */

static unsigned int marker_payload(uint32_t w)
{
    bool is_movz_xzr = (w & 0xffe0001fu) == 0xd280001fu;

    return is_movz_xzr ? (w >> 5) & 0xffff : 0;
}

static bool is_memory_access(uint32_t w) { return (w & 0x0a000000u) == 0x08000000u; }

static bool is_atomic(uint32_t w)
{
    bool exclusive_or_cas = (w & 0x3f000000u) == 0x08000000u && (w & 0x00a00000u) != 0x00800000u;
    bool lse = (w & 0x3b200c00u) == 0x38200000u;

    return exclusive_or_cas || lse;
}

/* opc of the register forms (bits 23:22) is 0, and 2 for a 128-bit vector store; L otherwise. */
static bool is_store(uint32_t w)
{
    bool register_form = (w & 0x38000000u) == 0x38000000u;
    bool vector = (w & 0x04000000u) != 0;
    unsigned int opc = (w >> 22) & 3;

    if (register_form) {
        return opc == 0 || (vector && opc == 2);
    }
    return (w & 0x3b000000u) != 0x18000000u && (opc & 1) == 0;
}

static bool is_system(uint32_t w)
{
    return (w & 0xff000000u) == 0xd5000000u || (w & 0xff000000u) == 0xd4000000u;
}

/* The event an instruction is besides INSN; INSN for none. */
static enum event classify(uint32_t w)
{
    if ((w & 0xffd00000u) == 0xd5100000u) { /* MRS, MSR (register) */
        return SYSREG;
    }
    if ((w & 0xffd80000u) == 0xd5080000u) { /* SYS, SYSL: TLBI is CRn 8 and 9 */
        return ((w >> 12) & 14) == 8 ? TLBI : SYSOP;
    }
    if ((w & 0xfffff01fu) == 0xd503301fu) { /* DSB, DMB, ISB, SB, CLREX */
        return BARRIER;
    }
    if ((w & 0xfffffbffu) == 0xd69f03e0u || (w & 0xfffffbffu) == 0xd69f0bffu) {
        return ERET;
    }
    if (is_memory_access(w)) {
        return is_atomic(w) ? ATOMIC : is_store(w) ? STORE : LOAD;
    }
    return INSN;
}

/* ---- instrumentation ---- */

static bool profiling(const struct segment *s)
{
    return s->el == profile_el && (profile_interval < 0 || intervals[profile_interval].open);
}

static void on_segment(unsigned int vcpu, void *opaque)
{
    struct segment *s = opaque;

    (void)vcpu;
    for (int e = 0; e < NR_EVENTS; e++) {
        now.n[s->el][e] += s->n[e];
    }
    if (profiling(s)) {
        s->runs++;
        if (profile_interval >= 0 && path_length < MAX_PATH) {
            path[path_length++] = s;
        }
    }
}

static unsigned int current_el(void)
{
    g_byte_array_set_size(pstate_bytes, 0);
    if (pstate == NULL || qemu_plugin_read_register(pstate, pstate_bytes) < 4) {
        fputs("count: cannot read PSTATE, the levels are unknown\n", stderr);
        exit(1);
    }
    return (pstate_bytes->data[0] >> 2) & 3;
}

static struct segment *segment_create(struct qemu_plugin_insn *insn, unsigned int el)
{
    struct segment *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        perror("count");
        exit(1);
    }
    s->vaddr = qemu_plugin_insn_vaddr(insn);
    s->el = (uint8_t)el;
    s->next = segments;
    segments = s;
    return s;
}

static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
    unsigned int el = current_el();
    struct segment *s = NULL;

    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t w = 0;

        qemu_plugin_insn_data(insn, &w, sizeof(w));
        unsigned int payload = marker_payload(w);
        if (payload != 0) {
            /* registered before the segment's own callback: the marker sees the counts before it */
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(uintptr_t)payload);
        }
        if (s == NULL || payload != 0) {
            s = segment_create(insn, el);
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_segment, QEMU_PLUGIN_CB_NO_REGS, s);
        }
        enum event e = classify(w);
        s->n[INSN]++;
        if (e != INSN) {
            s->n[e]++;
        }
        if (is_memory_access(w) || is_system(w)) {
            s = NULL;
        }
    }
}

static void on_vcpu_init(uint64_t id, unsigned int vcpu)
{
    (void)id;
    (void)vcpu;
    if (pstate != NULL) {
        return;
    }
    const struct glib_array *regs = qemu_plugin_get_registers();
    const struct qemu_plugin_reg_descriptor *desc = (const void *)regs->data;
    for (unsigned int i = 0; i < regs->len; i++) {
        if (strcmp(desc[i].name, "cpsr") == 0) { /* gdb's name for PSTATE */
            pstate = desc[i].handle;
        }
    }
}

static void on_emulator_exit(uint64_t id, void *opaque)
{
    (void)id;
    (void)opaque;
    if (!reported) {
        write_report();
    }
}

static bool parse_argument(const char *arg)
{
    if (strncmp(arg, "out=", 4) == 0) {
        out = fopen(arg + 4, "w");
        return out != NULL;
    }
    if (strncmp(arg, "profile=", 8) == 0) {
        profile_el = atoi(arg + 8);
        return profile_el >= 0 && profile_el < NR_EL;
    }
    if (strncmp(arg, "interval=", 9) == 0) {
        profile_interval = atoi(arg + 9);
        return profile_interval >= 0 && profile_interval < NR_IDS;
    }
    return false;
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc,
                                      char **argv);

int qemu_plugin_install(uint64_t id, const struct qemu_plugin_info *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (!parse_argument(argv[i])) {
            fprintf(stderr, "count: bad argument %s\n", argv[i]);
            return -1;
        }
    }
    if (out == NULL || strcmp(info->target_name, "aarch64") != 0) {
        fputs("count: needs out=FILE and an aarch64 target\n", stderr);
        return -1;
    }
    pstate_bytes = g_byte_array_new();
    qemu_plugin_register_vcpu_init_cb(id, on_vcpu_init);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_emulator_exit, NULL);
    return 0;
}
