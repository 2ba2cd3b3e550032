/* SPDX-License-Identifier: MIT */
/*
 * core/start.c: the whole boot by a device tree, to the first exits of a guest
 * or to the message that says why not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/impl/fake.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/start.h>
#include <loam/vcpu.h>

#include "../../hv/boot/private.h"
#include "unit.h"

#define RAM_MIB 64
#define TREE_OFFSET (1 * MIB) /* in RAM */
#define TREE_SIZE (64 * KIB)
#define KERNEL_OFFSET (4 * MIB)
#define KERNEL_SIZE (16 * KIB)
#define IMAGE_SIZE (512 * KIB) /* the hypervisor's, from the start of RAM */

struct machine {
    struct fake_machine fake;
    struct hv hv;
    struct pcpu cpu0;
    struct fdt_writer w;
    struct boot_info info;
    enum fake_stop stop;
};

static void tree_ram(struct fdt_writer *w, uint64_t start, uint64_t size)
{
    const uint64_t reg[] = { start, size };

    fdt_write_begin_unit(w, "memory", start);
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_u64s(w, "reg", reg, 2);
    fdt_write_end_node(w);
}

static void tree_root(struct fdt_writer *w)
{
    fdt_write_begin_node(w, "");
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);
}

/* A machine whose tree is open, inside of its root. */
static struct machine *begin(uint32_t nr_cpus)
{
    struct machine *m = calloc(1, sizeof(*m));

    fake_machine_init(&m->fake, RAM_MIB * MIB, nr_cpus);
    m->fake.hv = &m->hv;
    m->fake.cpu = &m->cpu0;
    m->info = (struct boot_info){
        .fdt = m->fake.ram + TREE_OFFSET,
        .fdt_size_max = TREE_SIZE,
        .fdt_addr = hpa(FAKE_RAM_BASE + TREE_OFFSET),
        .image_start = hpa(FAKE_RAM_BASE),
        .image_end = hpa(FAKE_RAM_BASE + IMAGE_SIZE),
    };
    fdt_write_begin(&m->w, m->fake.ram + TREE_OFFSET, TREE_SIZE);
    tree_root(&m->w);
    return m;
}

static void do_start(void *arg)
{
    struct machine *m = arg;

    hv_start(&m->hv, &m->cpu0, &m->info);
}

static void boot(struct machine *m)
{
    fdt_write_end_node(&m->w);
    CHECK(fdt_write_finish(&m->w) > 0);
    m->stop = (enum fake_stop)fake_try(do_start, m);
}

static void end(struct machine *m)
{
    fake_machine_fini(&m->fake);
    free(m);
}

static void tree_module(struct machine *m, const char *kind, uint64_t offset, uint64_t size)
{
    const uint64_t reg[] = { FAKE_RAM_BASE + offset, size };

    fdt_write_begin_unit(&m->w, "module", reg[0]);
    fdt_write_prop_string(&m->w, "compatible", kind);
    fdt_write_prop_u64s(&m->w, "reg", reg, 2);
    fdt_write_end_node(&m->w);
}

/* Byte i of a module, so that one page is not like the next. */
static uint8_t module_byte(uint64_t i) { return (uint8_t)(i * 7 + i / PAGE_SIZE); }

static void module_fill(struct machine *m, uint64_t offset, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        m->fake.ram[offset + i] = module_byte(i);
    }
}

static bool module_is_intact(const struct machine *m, uint64_t offset, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (m->fake.ram[offset + i] != module_byte(i)) {
            return false;
        }
    }
    return true;
}

/* A domain's node, still open, with its kernel. */
static void tree_begin_domain(struct machine *m, const char *name, uint64_t kernel)
{
    struct fake_kernel head = { .magic = FAKE_KERNEL_MAGIC, .offset = 0, .memory = KERNEL_SIZE };

    memcpy(m->fake.ram + kernel, &head, sizeof(head));
    fdt_write_begin_node(&m->w, name);
    fdt_write_prop_string(&m->w, "compatible", "xen,domain");
    fdt_write_prop_u32(&m->w, "#address-cells", 2);
    fdt_write_prop_u32(&m->w, "#size-cells", 2);
    fdt_write_prop_u64(&m->w, "memory", 4096);
    fdt_write_prop_u32(&m->w, "cpus", 2);
    tree_module(m, "multiboot,kernel", kernel, KERNEL_SIZE);
}

static void tree_domain(struct machine *m, const char *name)
{
    tree_begin_domain(m, name, KERNEL_OFFSET);
    fdt_write_end_node(&m->w);
}

/* A domain with a ramdisk, whose bytes are put there. */
static void tree_domain_with(struct machine *m, const char *name, uint64_t offset, uint64_t size)
{
    module_fill(m, offset, size);
    tree_begin_domain(m, name, KERNEL_OFFSET);
    tree_module(m, "multiboot,ramdisk", offset, size);
    fdt_write_end_node(&m->w);
}

static void tree_statics(struct machine *m, const char *name, const uint64_t *pairs, uint32_t nr)
{
    fdt_write_begin_node(&m->w, name);
    fdt_write_prop_string(&m->w, "compatible", "xen,domain");
    fdt_write_prop_u64s(&m->w, "xen,static-mem", pairs, nr);
    fdt_write_prop_u32(&m->w, "#xen,static-mem-size-cells", 2);
    fdt_write_end_node(&m->w);
}

TEST(a_machine_without_domains_goes_off)
{
    struct machine *m = begin(3);

    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    fdt_write_begin_node(&m->w, "chosen");
    fdt_write_end_node(&m->w);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    CHECK_EQ(m->hv.nr_pcpus, 3);
    /* The others are told to stop. */
    CHECK(m->hv.pcpus[1]->work & PCPU_WORK_STOP);
    CHECK(m->hv.pcpus[2]->work & PCPU_WORK_STOP);
    /* What is not the image, the tree or the frame records is free or in use by objects. */
    uint64_t records = (RAM_MIB * MIB / PAGE_SIZE) * sizeof(struct frame);
    CHECK_EQ(m->hv.frames.total,
             (RAM_MIB * MIB - IMAGE_SIZE - records) / PAGE_SIZE -
                 ALIGN_UP(fdt_blob_size(m->info.fdt, TREE_SIZE), PAGE_SIZE) / PAGE_SIZE);
    end(m);
}

TEST(a_domain_runs)
{
    struct machine *m = begin(2);

    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    fdt_write_begin_node(&m->w, "chosen");
    tree_domain(m, "first");
    fdt_write_end_node(&m->w);
    boot(m);
    /* Its vCPU is entered and has no script. */
    CHECK_EQ(m->stop, FAKE_STOP_SCRIPT);
    struct domain *d = m->hv.domains[1];
    REQUIRE(d != NULL);
    CHECK_STR(d->config.name, "first");
    CHECK_EQ(d->state, DOMAIN_RUNNING);
    CHECK(m->cpu0.current == d->vcpus[0]);
    CHECK(d->vcpus[0]->arch.boot_arg != 0);
    CHECK_EQ(d->vcpus[1]->pause, VCPU_PAUSE_OFFLINE);
    /* The guest finds its kernel with the caches off. */
    char magic[4];
    CHECK(fake_guest_read_uncached(d->vcpus[0], gpa(d->vcpus[0]->arch.pc), magic, 4));
    CHECK(memcmp(magic, FAKE_KERNEL_MAGIC, 4) == 0);
    end(m);
}

TEST(reservations_are_left_alone)
{
    struct machine *m = begin(1);
    const uint64_t kept[] = { FAKE_RAM_BASE + 32 * MIB, MIB };

    fdt_write_end_node(&m->w); /* written anew, with a reservation block */
    fdt_write_begin(&m->w, m->fake.ram + TREE_OFFSET, TREE_SIZE);
    fdt_write_reserve(&m->w, FAKE_RAM_BASE + 16 * MIB, 2 * MIB);
    tree_root(&m->w);
    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    fdt_write_begin_node(&m->w, "reserved-memory");
    fdt_write_prop_u32(&m->w, "#address-cells", 2);
    fdt_write_prop_u32(&m->w, "#size-cells", 2);
    fdt_write_prop_empty(&m->w, "ranges");
    fdt_write_begin_unit(&m->w, "kept", kept[0]);
    fdt_write_prop_u64s(&m->w, "reg", kept, 2);
    fdt_write_end_node(&m->w);
    fdt_write_end_node(&m->w);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    const uint64_t offsets[] = { 0,        IMAGE_SIZE - 1, TREE_OFFSET, 16 * MIB, 18 * MIB - 1,
                                 32 * MIB, 33 * MIB - 1 };
    for (uint32_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        mfn_t f = hpa_to_mfn(hpa(FAKE_RAM_BASE + offsets[i]));
        CHECK(frame_lookup(&m->hv, f) == NULL);
    }
    CHECK(frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + 18 * MIB))) != NULL);
    CHECK(frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + 32 * MIB - 1))) != NULL);
    end(m);
}

TEST(ram_in_several_pieces)
{
    struct machine *m = begin(1);

    tree_ram(&m->w, FAKE_RAM_BASE, 16 * MIB + 100); /* whole pages are used */
    tree_ram(&m->w, FAKE_RAM_BASE + 32 * MIB - 100, 8 * MIB);
    tree_ram(&m->w, FAKE_RAM_BASE + 60 * MIB, 4 * MIB);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    CHECK(frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + 16 * MIB))) == NULL);
    CHECK(frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + 40 * MIB - PAGE_SIZE))) == NULL);
    CHECK(frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + 63 * MIB))) != NULL);
    end(m);
}

TEST(a_cpu_that_does_not_start_is_left_out)
{
    struct machine *m = begin(4);

    m->fake.dead_cpus = BIT(2);
    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    CHECK_EQ(m->hv.nr_pcpus, 3);
    CHECK_EQ(m->hv.pcpus[2]->id, 2);
    end(m);
}

TEST(more_cpus_than_there_is_room_for)
{
    struct machine *m = begin(HV_PCPUS_MAX + 2);

    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    CHECK_EQ(m->hv.nr_pcpus, HV_PCPUS_MAX);
    end(m);
}

static void start_secondary(void *arg) { hv_start_secondary(arg); }

TEST(a_secondary_cpu_ends_in_its_run_loop)
{
    struct machine *m = begin(2);

    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    fdt_write_begin_node(&m->w, "chosen");
    tree_domain(m, "first");
    fdt_write_end_node(&m->w);
    boot(m);
    m->fake.cpu = m->hv.pcpus[1];
    m->hv.pcpus[1]->online = false;
    m->hv.pcpus[1]->work = 0;
    CHECK_EQ(fake_try(start_secondary, m->hv.pcpus[1]), FAKE_STOP_IDLE);
    CHECK(m->hv.pcpus[1]->online);
    end(m);
}

/* --- What domains name is not the hypervisor's --------------------------------- */

static enum frame_state state_at(struct machine *m, uint64_t offset)
{
    struct frame *r = frame_lookup(&m->hv, hpa_to_mfn(hpa(FAKE_RAM_BASE + offset)));

    return r != NULL ? (enum frame_state)r->state : FRAME_NONE;
}

/* Offset of the frame table. */
static uint64_t table_offset(const struct machine *m)
{
    return (uint64_t)((const uint8_t *)m->hv.frames.table - m->fake.ram);
}

#define RAM_END (RAM_MIB * MIB)
#define TABLE_SIZE (RAM_END / PAGE_SIZE * sizeof(struct frame))

/* Parts of RAM by their offset. */
struct parts {
    uint32_t nr;
    struct {
        uint64_t offset, size;
    } part[8];
};

/* Where the hypervisor's allocations are. */
static struct parts parts_in_use(struct machine *m)
{
    struct parts s = { 0 };

    for (uint64_t at = 0; at < RAM_END; at += PAGE_SIZE) {
        if (state_at(m, at) != FRAME_HV) {
            continue;
        }
        if (s.nr == 0 || s.part[s.nr - 1].offset + s.part[s.nr - 1].size != at) {
            CHECK(s.nr < ARRAY_SIZE(s.part));
            s.nr = MIN(s.nr + 1, (uint32_t)ARRAY_SIZE(s.part));
            s.part[s.nr - 1].offset = at;
            s.part[s.nr - 1].size = 0;
        }
        s.part[s.nr - 1].size += PAGE_SIZE;
    }
    return s;
}

/* Boots with ramdisks in these parts; the tree has the same room for any number of them. */
static struct machine *boot_with_ramdisks(const struct parts *ramdisks)
{
    struct machine *m = begin(2);

    fdt_write_end_node(&m->w);
    fdt_write_begin(&m->w, m->fake.ram + TREE_OFFSET, TREE_SIZE);
    fdt_write_reserve(&m->w, FAKE_RAM_BASE + TREE_OFFSET, TREE_SIZE);
    tree_root(&m->w);
    tree_ram(&m->w, FAKE_RAM_BASE, RAM_END);
    fdt_write_begin_node(&m->w, "chosen");
    for (uint32_t i = 0; i < ramdisks->nr; i++) {
        char name[] = { 'd', (char)('0' + i), '\0' };
        tree_domain_with(m, name, ramdisks->part[i].offset, ramdisks->part[i].size);
    }
    fdt_write_end_node(&m->w);
    boot(m);
    return m;
}

/* All domains are planned, and their ramdisks are as they were. */
static void ramdisks_check(struct machine *m, const struct parts *ramdisks)
{
    CHECK_EQ(m->stop, FAKE_STOP_SCRIPT);
    CHECK_EQ(m->hv.plan->nr_domains, ramdisks->nr);
    for (uint32_t i = 0; i < ramdisks->nr; i++) {
        CHECK(module_is_intact(m, ramdisks->part[i].offset, ramdisks->part[i].size));
        CHECK_EQ(state_at(m, ramdisks->part[i].offset), FRAME_RESERVED);
    }
}

TEST(modules_at_the_end_of_ram_move_the_frame_table)
{
    /* The last ends with RAM; the first is in the way where the table would go then. */
    static const struct parts top = {
        3,
        { { RAM_END - 0x4000 - TABLE_SIZE - 0x1800, 0x1801 },
          { RAM_END - 0x4000, 0x800 },
          { RAM_END - 0x3000, 0x3000 } },
    };
    struct machine *m = boot_with_ramdisks(&top);

    ramdisks_check(m, &top);
    CHECK_EQ(table_offset(m), RAM_END - 0x4000 - TABLE_SIZE - 0x2000 - TABLE_SIZE);
    end(m);
}

TEST(modules_where_the_first_allocations_would_go)
{
    /* A boot without domains shows where; then all that is named by domains. */
    struct machine *m = boot_with_ramdisks(&(struct parts){ 0 });
    struct parts first = parts_in_use(m);

    CHECK_EQ(m->stop, FAKE_STOP_OFF);
    CHECK(first.nr != 0);
    end(m);
    m = boot_with_ramdisks(&first);
    ramdisks_check(m, &first);
    end(m);
}

/* Static memory takes the largest range but for pieces that are too small. */
TEST(the_frame_table_goes_to_another_range)
{
    const uint64_t pairs[] = { FAKE_RAM_BASE + 32 * MIB, 8 * MIB,
                               FAKE_RAM_BASE + 40 * MIB + TABLE_SIZE - PAGE_SIZE,
                               24 * MIB - TABLE_SIZE + PAGE_SIZE };
    struct machine *m = begin(1);

    tree_ram(&m->w, FAKE_RAM_BASE, 16 * MIB);
    tree_ram(&m->w, FAKE_RAM_BASE + 32 * MIB, 32 * MIB);
    fdt_write_begin_node(&m->w, "chosen");
    tree_domain(m, "first");
    tree_statics(m, "statics", pairs, 4);
    fdt_write_end_node(&m->w);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_SCRIPT);
    CHECK_EQ(table_offset(m), 16 * MIB - TABLE_SIZE);
    /* Without cpus the second is refused, and its memory free. */
    CHECK_EQ(state_at(m, 32 * MIB), FRAME_FREE);
    end(m);
}

/* A range that no domain can have keeps the hypervisor from nothing. */
TEST(ranges_that_are_not_free_ram_are_not_kept)
{
    const uint64_t all[] = { FAKE_RAM_BASE, RAM_END };
    const uint64_t more[] = { FAKE_RAM_BASE + 2 * MIB, UINT64_C(1) << 40 };
    const uint64_t tree[] = { FAKE_RAM_BASE + TREE_OFFSET, RAM_END - TREE_OFFSET };
    struct machine *m = begin(1);

    tree_ram(&m->w, FAKE_RAM_BASE, RAM_END);
    fdt_write_begin_node(&m->w, "chosen");
    tree_statics(m, "all", all, 2);
    tree_statics(m, "more", more, 2);
    tree_statics(m, "tree", tree, 2);
    tree_domain(m, "good");
    fdt_write_end_node(&m->w);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_SCRIPT);
    CHECK(m->hv.domains[1] != NULL);
    CHECK_EQ(table_offset(m), RAM_END - TABLE_SIZE);
    end(m);
}

/* Static memory that leaves no place for the table, or nothing beside it. */
TEST(domains_that_leave_no_memory_stop_the_boot)
{
    static const char *const words[] = { "frame records", "nothing is free" };

    for (uint64_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct machine *m = begin(1);
        uint64_t table = 32 * MIB / PAGE_SIZE * sizeof(struct frame);
        const uint64_t all[] = { FAKE_RAM_BASE + IMAGE_SIZE, TREE_OFFSET - IMAGE_SIZE,
                                 FAKE_RAM_BASE + TREE_OFFSET + PAGE_SIZE,
                                 31 * MIB - PAGE_SIZE - (i ? table : 0) };

        tree_ram(&m->w, FAKE_RAM_BASE, 32 * MIB);
        fdt_write_begin_node(&m->w, "chosen");
        tree_statics(m, "all", all, 4);
        fdt_write_end_node(&m->w);
        boot(m);
        CHECK_EQ(m->stop, FAKE_STOP_HALT);
        CHECK(strstr(m->fake.console, "PANIC on CPU 0: memory: ") != NULL);
        CHECK(strstr(m->fake.console, words[i]) != NULL);
        end(m);
    }
}

/* --- Trees that cannot be used ------------------------------------------------ */

TEST(no_memory_node_stops_the_boot)
{
    struct machine *m = begin(1);

    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_HALT);
    CHECK(m->hv.frames.total == 0);
    end(m);
}

TEST(a_tree_that_is_none_stops_the_boot)
{
    for (int how = 0; how < 3; how++) {
        struct machine *m = begin(1);
        uint8_t *blob = m->fake.ram + TREE_OFFSET;

        tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
        fdt_write_end_node(&m->w);
        CHECK(fdt_write_finish(&m->w) > 0);
        if (how == 0) {
            blob[0] ^= 1;
        } else if (how == 1) {
            m->info.fdt_size_max = 24;
        } else {
            memset(blob + 56, 0xff, 64);
        }
        CHECK_EQ(fake_try(do_start, m), FAKE_STOP_HALT);
        CHECK(strstr(m->fake.console, "loam: PANIC on CPU 0: device tree at ") != NULL);
        end(m);
    }
}

TEST(ram_that_cannot_be_reached_stops_the_boot)
{
    struct machine *m = begin(1);

    tree_ram(&m->w, FAKE_RAM_BASE, 2 * RAM_MIB * MIB);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_HALT);
    end(m);
}

TEST(too_little_ram_for_its_records_stops_the_boot)
{
    struct machine *m = begin(1);

    /* The image takes all of one range, and the other is far away and small. */
    tree_ram(&m->w, FAKE_RAM_BASE, IMAGE_SIZE);
    tree_ram(&m->w, FAKE_RAM_BASE + RAM_MIB * MIB - PAGE_SIZE, PAGE_SIZE);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_HALT);
    end(m);
}

TEST(more_ranges_than_there_is_room_for_stop_the_boot)
{
    struct machine *m = begin(1);

    for (uint64_t i = 0; i < 33; i++) {
        tree_ram(&m->w, FAKE_RAM_BASE + 2 * MIB + i * 4 * PAGE_SIZE, PAGE_SIZE);
    }
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_HALT);
    end(m);
}

TEST(reservations_that_cut_ram_into_too_many_pieces_stop_the_boot)
{
    struct machine *m = begin(1);

    fdt_write_end_node(&m->w);
    fdt_write_begin(&m->w, m->fake.ram + TREE_OFFSET, TREE_SIZE);
    for (uint64_t i = 0; i < 40; i++) {
        fdt_write_reserve(&m->w, FAKE_RAM_BASE + 8 * MIB + i * 2 * PAGE_SIZE, PAGE_SIZE);
    }
    tree_root(&m->w);
    tree_ram(&m->w, FAKE_RAM_BASE, RAM_MIB * MIB);
    boot(m);
    CHECK_EQ(m->stop, FAKE_STOP_HALT);
    end(m);
}
