/* SPDX-License-Identifier: MIT */
/*
 * count: a QEMU TCG plugin that counts what each level of privilege executes between guest markers.
 *
 * Unit of counting: a *segment*, a run of instructions of one translated block in which only the
 * last can leave the block (a memory access, a system instruction, a branch) and only the first can
 * be a marker. One callback in front of it adds the segment's precomputed event counts, so a fault
 * or a marker in the middle of a block never miscounts. QEMU never shares a block between levels,
 * so the level read from the registers at translation holds for all of it.
 *
 * No inline operations are used: QEMU 10.0 mishandles them for the second and later vCPU when one
 * host thread runs all vCPUs. That one thread (-accel tcg,thread=single) is required: the counters
 * are plain globals shared by all vCPUs.
 *
 * A trap is the first segment at a level after any below it. Where the target names a vector and a
 * cause, traps are counted by cause and detail too, and instructions up to the next trap with them.
 *
 * Markers are instructions that change nothing on any processor, with a 16-bit payload (target_*.c
 * say which):
 *   1iii begin interval iii             2iii end interval iii
 *   6iii begin asynchronous interval iii, closing any other that is open unmeasured
 *   5000 end the open asynchronous interval, if there is one
 *   8iii end asynchronous interval iii; another one open is dropped and counted as stray
 *   4iii point iii on the timeline      7000 abandon all open intervals
 *   3000 write the report; the emulator's exit does not write another
 * The first segment of any guest is point 0 by itself: most guests have no markers.
 *
 * Arguments: out=FILE, profile=LEVEL (executed blocks of that level with their addresses),
 * until=ID (profile up to the first point ID only), interval=ID (profile only while interval ID is
 * open, and give the path of its last sample, block by block). README.md describes the report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qemu_api.h"
#include "target.h"

enum { NR_IDS = 4096, MAX_SAMPLES = 4096, MAX_POINTS = 1024, MAX_PATH = 65536 };
enum { MAX_VCPUS = 64, MAX_TRAP_KINDS = 1024, NR_REST_KINDS = 64 };

/* Detail of traps whose own is one too many. */
#define OTHERS (~0ull)

static const char *const event_name[NR_EVENTS] = {
    "insn", "sysreg", "sysop", "tlbi", "barrier", "load", "store", "atomic", "eret", "trap",
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
    uint64_t n[MAX_LEVELS][NR_EVENTS];
};

struct segment {
    uint64_t vaddr;
    uint64_t runs; /* while the profile is on */
    uint16_t n[NR_EVENTS];
    uint16_t bytes;
    uint8_t level;
    struct segment *next;
};

/* Traps into one level with one cause and detail. */
struct trap_kind {
    unsigned int level;
    uint64_t cause;
    uint64_t detail;
    uint64_t times;
    uint64_t insns; /* executed at that level until its next trap */
};

struct vcpu {
    unsigned int level; /* of the last segment */
    uint32_t left; /* a bit for each level that a level below it ran after */
    struct trap_kind *trap[MAX_LEVELS]; /* latest, if it was told apart */
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
static bool guest_ran; /* point 0 is there */
static struct segment *segments;
static bool reported; /* a guest asked for the report: the exit must not change it */

static FILE *out;
static int profile_level = -1;
static int profile_interval = -1;
static int profile_until = -1; /* a point */
static struct segment *path[MAX_PATH]; /* of the profiled interval's latest sample */
static unsigned int path_length;
static const struct target *target;
static const struct qemu_plugin_reg_descriptor *registers;
static unsigned int nr_registers;
static struct qemu_plugin_register *level_register;
static struct glib_byte_array *register_bytes;
static struct vcpu vcpus[MAX_VCPUS];
static struct trap_kind trap_kinds[MAX_TRAP_KINDS];
static unsigned int nr_trap_kinds;

PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_API;

/* ---- report ---- */

static void write_counts(const struct counts *c)
{
    for (unsigned int l = 0; l < target->nr_levels; l++) {
        for (int e = 0; e < NR_EVENTS; e++) {
            fprintf(out, " %" PRIu64, c->n[l][e]);
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

static void write_traps(void)
{
    for (unsigned int i = 0; i < nr_trap_kinds; i++) {
        const struct trap_kind *k = &trap_kinds[i];
        fprintf(out, "trap %u 0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", k->level,
                k->cause, k->detail, k->times, k->insns);
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
    write_traps();
    for (const struct segment *s = segments; s != NULL; s = s->next) {
        if (s->runs != 0) {
            fprintf(out, "block 0x%" PRIx64 " %u %u %" PRIu64 "\n", s->vaddr, s->bytes, s->n[INSN],
                    s->runs);
        }
    }
    for (unsigned int i = 0; i < path_length; i++) {
        fprintf(out, "path 0x%" PRIx64 " %u %u\n", path[i]->vaddr, path[i]->bytes,
                path[i]->n[INSN]);
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
    for (unsigned int l = 0; l < target->nr_levels; l++) {
        for (int e = 0; e < NR_EVENTS; e++) {
            c->n[l][e] = now.n[l][e] - iv->start.n[l][e];
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
    if ((int)id == profile_until) {
        profile_level = -1;
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

/* ---- registers ---- */

static void give_up(const char *what, const char *which)
{
    fprintf(stderr, "count: %s %s\n", what, which);
    exit(1);
}

static struct qemu_plugin_register *register_find(const char *name)
{
    for (unsigned int i = 0; i < nr_registers; i++) {
        if (strcmp(registers[i].name, name) == 0) {
            return registers[i].handle;
        }
    }
    return NULL;
}

/* Of the vCPU that runs, little-endian; its upper bytes are 0 if it is shorter. */
static uint64_t register_read(struct qemu_plugin_register *r, const char *name)
{
    uint64_t value = 0;

    g_byte_array_set_size(register_bytes, 0);
    if (r == NULL || qemu_plugin_read_register(r, register_bytes) <= 0) {
        give_up("cannot read register", name);
    }
    memcpy(&value, register_bytes->data,
           register_bytes->len < sizeof(value) ? register_bytes->len : sizeof(value));
    return value;
}

static uint64_t register_named(const char *name)
{
    return register_read(register_find(name), name);
}

static unsigned int current_level(void)
{
    uint64_t value = register_read(level_register, target->level_register);

    return (unsigned int)(value >> target->level_shift) & target->level_mask;
}

/* ---- traps ---- */

/* The last places in the array are for the rest of a cause, with detail OTHERS. */
static struct trap_kind *trap_kind_find(unsigned int level, uint64_t cause, uint64_t detail)
{
    for (unsigned int i = 0; i < nr_trap_kinds; i++) {
        struct trap_kind *k = &trap_kinds[i];
        if (k->level == level && k->cause == cause && k->detail == detail) {
            return k;
        }
    }
    if (nr_trap_kinds >= MAX_TRAP_KINDS - NR_REST_KINDS && detail != OTHERS) {
        return trap_kind_find(level, cause, OTHERS);
    }
    if (nr_trap_kinds == MAX_TRAP_KINDS) {
        give_up("too many kinds of traps at level", level == target->hypervisor ? "2" : "3");
    }
    trap_kinds[nr_trap_kinds] = (struct trap_kind){ .level = level, .cause = cause };
    trap_kinds[nr_trap_kinds].detail = detail;
    return &trap_kinds[nr_trap_kinds++];
}

/* In front of a vector's first segment: registers can be read here only. */
static void on_vector(unsigned int vcpu, void *opaque)
{
    const struct segment *s = opaque;
    const struct trap_level *t = &target->trap[s->level];
    uint64_t detail = 0;

    if (!(vcpus[vcpu].left & 1u << s->level)) {
        return;
    }
    uint64_t cause = register_named(t->cause);
    if (cause < NR_CAUSES && t->detail[cause].name != NULL) {
        detail = register_named(t->detail[cause].name) & t->detail[cause].mask;
    }
    struct trap_kind *k = trap_kind_find(s->level, cause, detail);
    k->times++;
    vcpus[vcpu].trap[s->level] = k;
}

static bool is_vector(uint64_t vaddr, unsigned int level)
{
    const char *name = target->trap[level].vector;

    return name != NULL && (register_named(name) & ~3ull) == vaddr;
}

/* The level changes with this segment. */
static void level_change(unsigned int vcpu, const struct segment *s)
{
    struct vcpu *v = &vcpus[vcpu];
    uint32_t bit = 1u << s->level;

    if (v->left & bit) {
        now.n[s->level][TRAP]++;
    }
    v->left &= ~bit;
    for (unsigned int l = 0; l < target->nr_levels; l++) {
        if (target->below[l] & bit) {
            v->left |= 1u << l;
            v->trap[l] = NULL;
        }
    }
    if (!guest_ran && (target->guests & bit)) {
        guest_ran = true;
        point_add(0, vcpu);
    }
    v->level = s->level;
}

/* ---- instrumentation ---- */

static bool profiling(const struct segment *s)
{
    return s->level == profile_level && (profile_interval < 0 || intervals[profile_interval].open);
}

static void on_segment(unsigned int vcpu, void *opaque)
{
    struct segment *s = opaque;

    if (s->level != vcpus[vcpu].level) {
        level_change(vcpu, s);
    }
    for (int e = 0; e < NR_EVENTS; e++) {
        now.n[s->level][e] += s->n[e];
    }
    if (vcpus[vcpu].trap[s->level] != NULL) {
        vcpus[vcpu].trap[s->level]->insns += s->n[INSN];
    }
    if (profiling(s)) {
        s->runs++;
        if (profile_interval >= 0 && path_length < MAX_PATH) {
            path[path_length++] = s;
        }
    }
}

static struct segment *segment_create(struct qemu_plugin_insn *insn, unsigned int level)
{
    struct segment *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        perror("count");
        exit(1);
    }
    s->vaddr = qemu_plugin_insn_vaddr(insn);
    s->level = (uint8_t)level;
    s->next = segments;
    segments = s;
    return s;
}

/* Starts a segment; what has to see the counts before it is registered first. */
static struct segment *segment_begin(struct qemu_plugin_insn *insn, unsigned int level,
                                     unsigned int payload, bool is_first)
{
    struct segment *s = segment_create(insn, level);

    if (payload != 0) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, QEMU_PLUGIN_CB_NO_REGS,
                                               (void *)(uintptr_t)payload);
    }
    if (is_first && is_vector(s->vaddr, level)) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_vector, QEMU_PLUGIN_CB_R_REGS, s);
    }
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_segment, QEMU_PLUGIN_CB_NO_REGS, s);
    return s;
}

static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
    unsigned int level = current_level();
    struct segment *s = NULL;

    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t w = 0;

        size_t bytes = qemu_plugin_insn_data(insn, &w, sizeof(w));
        unsigned int payload = target->marker(w);
        if (s == NULL || payload != 0) {
            s = segment_begin(insn, level, payload, i == 0);
        }
        enum event e = target->classify(w);
        s->bytes += (uint16_t)bytes;
        s->n[INSN]++;
        if (e != INSN) {
            s->n[e]++;
        }
        if (target->may_leave(w)) {
            s = NULL;
        }
    }
}

static void on_vcpu_init(uint64_t id, unsigned int vcpu)
{
    (void)id;
    if (vcpu >= MAX_VCPUS) {
        give_up("too many CPUs", "");
    }
    if (registers != NULL) {
        return;
    }
    const struct glib_array *found = qemu_plugin_get_registers();
    registers = (const void *)found->data;
    nr_registers = found->len;
    level_register = register_find(target->level_register);
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
        profile_level = atoi(arg + 8);
        return profile_level >= 0 && profile_level < MAX_LEVELS;
    }
    if (strncmp(arg, "interval=", 9) == 0) {
        profile_interval = atoi(arg + 9);
        return profile_interval >= 0 && profile_interval < NR_IDS;
    }
    if (strncmp(arg, "until=", 6) == 0) {
        profile_until = atoi(arg + 6);
        return profile_until >= 0 && profile_until < NR_IDS;
    }
    return false;
}

static const struct target *target_find(const char *name)
{
    static const struct target *const all[] = { &target_arm64, &target_riscv64 };

    for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
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
    target = target_find(info->target_name);
    if (out == NULL || target == NULL) {
        fprintf(stderr, "count: needs out=FILE and a target that it knows, not %s\n",
                info->target_name);
        return -1;
    }
    register_bytes = g_byte_array_new();
    qemu_plugin_register_vcpu_init_cb(id, on_vcpu_init);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_emulator_exit, NULL);
    return 0;
}
