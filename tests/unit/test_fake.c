/* SPDX-License-Identifier: MIT */
/*
 * The fake machine itself: each rule of its model catches who breaks it, and
 * each of the architecture's functions does what its contract says.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/guest.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <arch/stage2.h>
#include <arch/time.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define LEAF(m) arch_stage2_leaf(w.hv, 0, mfn(m), P2M_RAM_RW)

TEST(entries_changed_in_the_wrong_order_are_found)
{
    struct world w;

    world_init(&w, 1, 8);
    w.expect_violation = true;
    struct vcpu *v = world_guest(&w);
    mfn_t m = frame_alloc(w.hv, 0, FRAME_ALLOC_ZERO);
    uint64_t *entry = frame_map_local(w.hv, m);
    uint64_t root = 0;

    arch_stage2_set(&root, arch_stage2_table(m));
    CHECK_STR(w.violation, "a table is linked before its entries are published");
    root = 0;
    arch_stage2_publish();
    w.machine.violations = 0;

    arch_stage2_set(&entry[0], LEAF(1));
    CHECK_EQ(w.machine.violations, 0u);
    arch_stage2_set(&entry[0], LEAF(2));
    CHECK_STR(w.violation, "a valid entry is replaced without break before make");
    arch_stage2_set(&entry[0], 0);
    arch_stage2_flush(v->domain, gfn(0), 1);
    CHECK_STR(w.violation, "a flush before the changed entries are published");
    arch_stage2_publish();
    arch_stage2_set(&entry[0], LEAF(2));
    arch_stage2_set(&entry[0], 0);
    arch_stage2_publish();
    arch_stage2_set(&entry[0], LEAF(3));
    CHECK_STR(w.violation, "an entry is made before the broken one was flushed");
    CHECK_EQ(w.machine.violations, 3u);

    arch_stage2_leaf(w.hv, 1, mfn(3), P2M_RAM_RW);
    CHECK_STR(w.violation, "a block that is not aligned");
    w.machine.format.block_levels = 0;
    arch_stage2_leaf(w.hv, 1, mfn(0), P2M_RAM_RW);
    CHECK_STR(w.violation, "a block at a level that has none");
    arch_stage2_publish();
    frame_free(w.hv, m, 0);
    world_guest_end(&w, v);
    world_fini(&w);
}

/* The entry of g in the table of level 0 that covers it. */
static uint64_t *entry_of(struct world *w, struct domain *d, uint64_t g)
{
    mfn_t table = d->p2m.root;
    uint64_t *entry = frame_map_local(w->hv, table);

    for (int shift = 18; shift > 0; shift -= 9) {
        entry = frame_map_local(w->hv, arch_stage2_mfn(entry[g >> shift & 511]));
    }
    return &entry[g & 511];
}

TEST(a_missing_flush_or_publish_is_found)
{
    struct world w;
    uint8_t byte = 7;

    world_init(&w, 1, 8);
    struct vcpu *v = world_guest(&w);
    mfn_t m = frame_alloc(w.hv, 0, 0);
    CHECK_EQ(p2m_map(v->domain, gfn(3), m, 1, P2M_RAM_RW), 0);
    CHECK(fake_guest_write(v, gpa(3 * PAGE_SIZE), &byte, 1));

    uint64_t *entry = entry_of(&w, v->domain, 3);
    uint64_t was = *entry;

    /* Unpublished: the walk still finds it. */
    arch_stage2_set(entry, 0);
    CHECK(fake_guest_read(v, gpa(3 * PAGE_SIZE), &byte, 1));
    /* Published, not flushed: the TLB still has it. */
    arch_stage2_publish();
    w.expect_violation = true;
    CHECK(!fake_guest_read(v, gpa(3 * PAGE_SIZE), &byte, 1));
    CHECK_STR(w.violation, "a stale translation is used: a flush is missing");
    w.expect_violation = false;
    arch_stage2_flush(v->domain, gfn(3), 1);
    CHECK(!fake_guest_read(v, gpa(3 * PAGE_SIZE), &byte, 1));
    arch_stage2_set(entry, was);
    CHECK(!fake_guest_read(v, gpa(3 * PAGE_SIZE), &byte, 1));
    arch_stage2_publish();
    CHECK(fake_guest_read(v, gpa(3 * PAGE_SIZE), &byte, 1));
    frame_free(w.hv, m, 0);
    world_guest_end(&w, v);
    world_fini(&w);
}

TEST(accesses_outside_of_ram_are_found)
{
    struct world w;
    uint8_t byte[2];

    world_init(&w, 1, 8);
    w.expect_violation = true;
    arch_frame_map(mfn(5));
    CHECK_EQ(w.machine.violations, 1u);
    arch_frame_map(MFN_NONE);
    CHECK_EQ(w.machine.violations, 2u);
    arch_frame_of(&w);
    CHECK_EQ(w.machine.violations, 3u);
    arch_clear_pages(byte, 2, false);
    CHECK_STR(w.violation, "arch_clear_pages() of what is no page");
    CHECK_EQ(arch_map_ram(w.hv, hpa(FAKE_RAM_BASE), 8 * MIB), 0);
    CHECK_EQ(arch_map_ram(w.hv, hpa(FAKE_RAM_BASE), 9 * MIB), -XEN_EINVAL);
    CHECK_EQ(arch_map_ram(w.hv, hpa(0), MIB), -XEN_EINVAL);
    CHECK(arch_map_device(w.hv, hpa(0x9000000), PAGE_SIZE) != 0);
    CHECK_EQ(arch_map_device(w.hv, hpa(0x9000000), MIB), 0u);
    world_fini(&w);
}

static void relax(void *arg) { arch_cpu_relax(); }
static void off(void *arg) { arch_machine_off(arg); }
static void reset(void *arg) { arch_machine_reset(arg); }
static void wait_for_ever(void *arg) { arch_cpu_wait(); }

static void raise_5(struct fake_machine *m, struct pcpu *p) { fake_irq_raise(5); }

TEST(time_waiting_and_stopping)
{
    struct world w;

    world_init(&w, 2, 8);
    struct pcpu *p = w.hv->pcpus[0];
    ns_t t0 = arch_time_now();

    arch_timer_set(p, t0 + 500);
    CHECK(!fake_try(wait_for_ever, NULL));
    CHECK_EQ(arch_time_now(), t0 + 500);
    arch_irq_poll(p);
    CHECK_EQ(p->work, PCPU_WORK_TIMER);
    CHECK_EQ(fake_try(wait_for_ever, NULL), FAKE_STOP_IDLE);
    arch_cpu_kick(p);
    CHECK(!fake_try(wait_for_ever, NULL));
    arch_irq_poll(p);
    w.machine.on_wait = raise_5;
    arch_irq_unmask(w.hv, 5, true, p);
    CHECK(!fake_try(wait_for_ever, NULL));
    arch_irq_mask(w.hv, 5);
    CHECK_EQ(fake_try(wait_for_ever, NULL), FAKE_STOP_IDLE);

    CHECK_EQ(fake_try(off, w.hv), FAKE_STOP_OFF);
    CHECK_EQ(fake_try(reset, w.hv), FAKE_STOP_RESET);
    w.expect_violation = true;
    CHECK(!fake_try(relax, NULL));
    CHECK_EQ(w.machine.violations, 1u);
    world_fini(&w);
}

TEST(a_cpu_that_does_not_start_is_left_out)
{
    struct world w;

    world_init(&w, 3, 8);
    CHECK_EQ(w.hv->nr_pcpus, 3u);
    CHECK_EQ(arch_cpu_count(w.hv), 3u);
    struct pcpu p = { .online = false };
    w.machine.dead_cpus = BIT(2);
    CHECK_EQ(arch_cpu_prepare(w.hv, &p, 2), 0);
    CHECK_EQ(arch_cpu_on(&p), 0);
    CHECK(!p.online);
    world_fini(&w);
}

TEST(kernels_are_recognised)
{
    struct fake_kernel k = { FAKE_KERNEL_MAGIC, 0x80000, 5 * MIB, { 0 } };
    struct kernel_image image;
    const char *why = NULL;

    CHECK_EQ(arch_kernel_probe(&k, sizeof(k), &image, &why), 0);
    CHECK_EQ(image.offset, 0x80000u);
    CHECK_EQ(image.align, 2 * MIB);
    CHECK_EQ(image.memory, 5 * MIB);
    CHECK_EQ(arch_kernel_probe(&k, 63, &image, &why), -XEN_ENOEXEC);
    CHECK(why != NULL);
    k.magic[0] = 'X';
    why = NULL;
    CHECK_EQ(arch_kernel_probe(&k, sizeof(k), &image, &why), -XEN_ENOEXEC);
    CHECK(why != NULL);
}

TEST(interrupt_lines_wake_and_are_tied_once)
{
    struct world w;

    world_init(&w, 1, 8);
    struct vcpu *v = world_guest(&w);
    struct domain *d = v->domain;
    struct vcpu *vcpus[1] = { v };

    d->vcpus = vcpus;
    d->config.nr_spis = 8;
    arch_vintc_set_level(d, 33, true);
    CHECK(!arch_vcpu_has_event(v)); /* there is no controller yet */
    CHECK_EQ(arch_vintc_create(d), 0);
    arch_vintc_set_level(d, 33, true);
    CHECK(arch_vcpu_has_event(v));
    arch_vcpu_sync_interrupts(v);
    CHECK(fake_guest_ack(v));
    CHECK(!fake_guest_ack(v));
    arch_vintc_set_level(d, 33, true); /* it is high already */
    CHECK(!arch_vcpu_has_event(v));
    arch_vintc_set_level(d, 33, false);
    arch_vintc_set_level(d, 40, true); /* beyond nr_spis */
    arch_vintc_pulse(d, 31);
    CHECK(!arch_vcpu_has_event(v));
    arch_vintc_pulse(d, 34);
    CHECK(arch_vcpu_has_event(v));

    CHECK_EQ(arch_vintc_assign(d, 35, 7, false), 0);
    CHECK_EQ(arch_vintc_assign(d, 35, 8, false), -XEN_EBUSY);
    CHECK_EQ(arch_vintc_assign(d, 40, 8, false), -XEN_EINVAL);
    w.machine.irq_active[7] = true;
    arch_vintc_host_irq(d, 35);
    fake_guest_eoi(d, 35);
    CHECK(!w.machine.irq_active[7]);
    arch_vintc_unassign(d, 35);
    CHECK_EQ(arch_vintc_assign(d, 35, 8, false), 0);
    world_guest_end(&w, v);
    world_fini(&w);
}
