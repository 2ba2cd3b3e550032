/* SPDX-License-Identifier: MIT */
/*
 * The boot as a checklist: each phase says on the console what it found.
 *
 *   memory -> objects -> console -> CPU and platform -> other CPUs -> IOMMUs
 *   -> pools -> plan of boot-time domains -> run loop (which builds the domains)
 *
 * Every fact about the machine comes from its device tree. What domains of the
 * tree name as modules and static memory is left alone from the first page on.
 * Nothing waits by counting, and nothing is done per page of memory.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/time.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/fdt.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/plan.h>
#include <loam/printf.h>
#include <loam/sched.h>
#include <loam/selftest.h>
#include <loam/start.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/version.h>

#define RANGES_MAX 32

/* Bytes [start, end) of machine addresses. */
struct range {
    uint64_t start, end;
};

struct ranges {
    uint32_t nr;
    struct range r[RANGES_MAX];
};

/* Adds a range; what does not fit is left unused, which is safe for RAM only. */
static bool range_add(struct ranges *s, uint64_t start, uint64_t end)
{
    if (start >= end) {
        return true;
    }
    if (s->nr == RANGES_MAX) {
        return false;
    }
    s->r[s->nr++] = (struct range){ start, end };
    return true;
}

/* Takes [start, end), whole pages, out of every range. */
static bool range_cut(struct ranges *s, uint64_t start, uint64_t end)
{
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    for (uint32_t i = 0; i < s->nr; i++) {
        struct range *r = &s->r[i];

        if (end <= r->start || start >= r->end) {
            continue;
        }
        uint64_t tail_start = end, tail_end = r->end;

        r->end = MAX(start, r->start);
        if (r->end == r->start) {
            *r = s->r[--s->nr];
            i--;
        }
        if (!range_add(s, tail_start, tail_end)) {
            return false;
        }
    }
    return true;
}

static void ram_find(struct ranges *ram, const struct fdt *host)
{
    struct fdt_memory_iter it;
    uint64_t addr, size;

    fdt_memory_begin(host, &it);
    while (fdt_memory_next(host, &it, &addr, &size) == 0) {
        if (!range_add(ram, ALIGN_UP(addr, PAGE_SIZE), ALIGN_DOWN(addr + size, PAGE_SIZE))) {
            panic("memory: the device tree has more than %u ranges", RANGES_MAX);
        }
    }
    if (ram->nr == 0) {
        panic("memory: the device tree has no /memory node with a reg property");
    }
}

/* What the firmware and the loader keep: image, tree, reservations. */
static bool ram_cut_reserved(struct ranges *ram, const struct fdt *host,
                             const struct boot_info *info)
{
    uint64_t addr, size;
    bool ok = range_cut(ram, info->image_start.a, info->image_end.a) &&
              range_cut(ram, info->fdt_addr.a,
                        info->fdt_addr.a + fdt_blob_size(info->fdt, info->fdt_size_max));

    for (uint32_t i = 0; ok && fdt_reserve(host, i, &addr, &size) == 0; i++) {
        ok = range_cut(ram, addr, addr + size);
    }
    struct fdt_node reserved = fdt_find(host, "/reserved-memory");

    if (!fdt_node_exists(reserved)) {
        return ok;
    }
    struct fdt_node n = fdt_first_child(host, reserved);

    for (; ok && fdt_node_exists(n); n = fdt_next_sibling(host, n)) {
        for (uint32_t i = 0; ok && fdt_reg_translated(host, n, i, &addr, &size) == 0; i++) {
            ok = range_cut(ram, addr, addr + size);
        }
    }
    return ok;
}

/* Is each byte of [start, end) in some range? */
static bool ranges_cover(const struct ranges *s, uint64_t start, uint64_t end)
{
    uint32_t i = 0;

    while (i < s->nr && start < end) {
        bool here = start >= s->r[i].start && start < s->r[i].end;

        start = here ? s->r[i].end : start;
        i = here ? 0 : i + 1;
    }
    return start >= end;
}

/* The search for the highest place in `in` where no domain has a module or static memory. */
struct place {
    const struct ranges *ram;
    struct range in; /* where it still may be */
    uint64_t size;
    bool moved;
};

static bool place_fits(const struct place *p) { return p->in.end - p->in.start >= p->size; }

/* One range that a domain names; those that are not free RAM are refused anyway. */
static void place_avoid(void *arg, uint64_t start, uint64_t size)
{
    struct place *p = arg;

    if (place_fits(p) && start < p->in.end && start + size > p->in.end - p->size &&
        ranges_cover(p->ram, start, start + size)) {
        p->in.end = MAX(ALIGN_DOWN(start, PAGE_SIZE), p->in.start);
        p->moved = true;
    }
}

/*
 * A walk leaves the place below all that touched it when the walk began, so two
 * move it by its size, 1/128 of RAM, at least. Mostly one finds nothing in the way.
 */
static bool place_find(struct place *p, const struct fdt *host)
{
    do {
        p->moved = false;
        plan_for_each_range(host, place_avoid, p);
    } while (p->moved && place_fits(p));
    return place_fits(p);
}

/* The largest range whose bit in `tried` is clear; there is one. */
static uint32_t range_largest(const struct ranges *s, uint64_t tried)
{
    uint32_t largest = ctz64(~tried);

    for (uint32_t i = largest + 1; i < s->nr; i++) {
        if (!(tried & BIT(i)) &&
            s->r[i].end - s->r[i].start > s->r[largest].end - s->r[largest].start) {
            largest = i;
        }
    }
    return largest;
}

/* Cuts the frame table's memory out of the largest range that has a place for it. */
static uint64_t table_cut(struct ranges *ram, const struct fdt *host, uint64_t size)
{
    uint64_t tried = 0;

    for (uint32_t n = 0; n < ram->nr; n++) {
        uint32_t i = range_largest(ram, tried);
        struct place p = { .ram = ram, .in = ram->r[i], .size = size };

        if (place_find(&p, host)) {
            if (!range_cut(ram, p.in.end - size, p.in.end)) {
                panic("memory: more than %u free ranges", RANGES_MAX);
            }
            return p.in.end - size;
        }
        tried |= BIT(i);
    }
    panic("memory: too little is free for %llu KiB of frame records beside the domains' modules "
          "and static memory",
          (unsigned long long)(size / KIB));
}

/* Frame records take 32 bytes a page. */
static void frames_start(struct hv *hv, const struct fdt *host, const struct boot_info *info)
{
    struct ranges ram = { 0 };
    uint64_t low = UINT64_MAX, high = 0;

    ram_find(&ram, host);
    for (uint32_t i = 0; i < ram.nr; i++) {
        low = MIN(low, ram.r[i].start);
        high = MAX(high, ram.r[i].end);
        if (arch_map_ram(hv, hpa(ram.r[i].start), ram.r[i].end - ram.r[i].start) != 0) {
            panic("memory: range %#llx..%#llx cannot be mapped", (unsigned long long)ram.r[i].start,
                  (unsigned long long)ram.r[i].end);
        }
    }
    if (!ram_cut_reserved(&ram, host, info)) {
        panic("memory: more than %u free ranges", RANGES_MAX);
    }
    uint64_t pages = (high - low) >> PAGE_SHIFT;
    uint64_t table = table_cut(&ram, host, ALIGN_UP(pages * sizeof(struct frame), PAGE_SIZE));

    frames_init(hv, arch_frame_map(mfn(table >> PAGE_SHIFT)), mfn(low >> PAGE_SHIFT), pages);
    for (uint32_t i = 0; i < ram.nr; i++) {
        int rc = frames_add(hv, mfn(ram.r[i].start >> PAGE_SHIFT),
                            (ram.r[i].end - ram.r[i].start) >> PAGE_SHIFT);

        BUG_ON(rc != 0);
    }
    plan_keep_ranges(hv, host);
    if (hv->frames.avail == 0) {
        panic("memory: nothing is free beside the domains' modules and static memory");
    }
}

static void memory_report(struct hv *hv)
{
    log_info(hv, "memory: %llu MiB free",
             (unsigned long long)(hv->frames.avail >> (20 - PAGE_SHIFT)));
}

/* Opens the tree; the blob stays where it is. */
static void tree_open(struct fdt *host, const struct boot_info *info)
{
    int rc = fdt_open(host, info->fdt, info->fdt_size_max);

    if (rc != 0) {
        panic("device tree at %#llx: %s (byte %u)", (unsigned long long)info->fdt_addr.a,
              host->error, host->error_off);
    }
}

static void must(int rc, const char *phase)
{
    if (rc != 0) {
        panic("boot: %s failed (error %d)", phase, -rc);
    }
}

void hv_start(struct hv *hv, struct pcpu *boot_cpu, const struct boot_info *info)
{
    struct fdt host;
    char what[128];

    hv_init(hv);
    hv->boot_start = arch_time_now();
    pcpu_init(hv, boot_cpu, 0);
    hv->nr_pcpus = 1;
    boot_cpu->online = true;

    tree_open(&host, info);
    frames_start(hv, &host, info);
    must(mem_init(hv), "object memory");
    must(console_init(hv), "console");
    console_probe(hv, &host);
    log_info(hv, "Loam, Xen ABI %u.%u", XEN_ABI_MAJOR, XEN_ABI_MINOR);
    memory_report(hv);

    must(arch_cpu_probe(hv, &host), "CPU probe");
    must(arch_platform_init(hv, &host), "platform");
    must(irq_table_init(hv, arch_irq_count(hv)), "interrupt table");
    must(arch_pcpu_init(boot_cpu), "boot CPU");
    arch_describe(hv, what, sizeof(what));
    log_info(hv, "machine: %s", what);
    console_start_input(hv, &host);
    pcpu_start_all(hv);
    log_info(hv, "cpus: %u online", hv->nr_pcpus);
    selftest_run(hv);

    must(arch_iommu_init(hv, &host), "IOMMU");
    must(plan_pools(hv, &host), "pools");
    must(plan_parse(hv, &host), "plan");
    log_info(hv, "boot: ready after %llu us",
             (unsigned long long)((arch_time_now() - hv->boot_start) / NS_PER_US));
    plan_start(hv);
    arch_vcpu_enter(boot_cpu, vcpu_next(boot_cpu));
}

void hv_start_secondary(struct pcpu *p)
{
    must(arch_pcpu_init(p), "secondary CPU");
    atomic_store_release(&p->online, true);
    arch_cpu_kick(p->hv->pcpus[0]); /* which sleeps until then (pcpu_start_all()) */
    arch_vcpu_enter(p, vcpu_next(p));
}

void hv_end(struct hv *hv, enum hv_end end)
{
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (hv->pcpus[i] != this_pcpu()) {
            pcpu_kick(hv->pcpus[i], PCPU_WORK_STOP);
        }
    }
    switch (end) {
    case HV_OFF:
        arch_machine_off(hv);
    case HV_RESET:
        arch_machine_reset(hv);
    case HV_HALT:
        break;
    }
    arch_cpu_halt();
}

void hv_power_off(struct hv *hv)
{
    log_info(hv, "power off");
    hv_end(hv, HV_OFF);
}
