/* SPDX-License-Identifier: MIT */
/*
 * Interrupts through the virtual GICv3 of arm64, by kind: to oneself and others, more than there
 * are list registers, the timer's, shared ones; then random operations. arm64_vgic.h has the
 * model of the hardware.
 */
#include "arm64_vgic.h"
#include "random.h"

/* --- SGIs ------------------------------------------------------------ */

TEST(sgi_to_self_takes_the_quick_way)
{
    world();
    load(0, 0);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    CHECK_EQ(nr_lr_reads, 0);
    CHECK_EQ(vcpus[0].pending, 0);
    CHECK_EQ(ack(), 5);
    CHECK_EQ(ack(), SPURIOUS);
    /* While active the next one is pending and active; two more are one. */
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    eoi(5);
    CHECK_EQ(ack_and_end(), 5);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(sgi_to_others)
{
    world();
    load(0, 0);
    load(1, 1);
    cpu = 0;
    vgic_send_sgi(&vcpus[0], UINT64_C(1) << 40 | 3u << 24, true); /* all but self */
    CHECK_EQ(notified, 6);
    kick(1);
    CHECK_EQ(ack_on(1), 3);
    CHECK_EQ(ack_on(0), SPURIOUS);
    load(2, 2);
    CHECK_EQ(ack_on(2), 3);
    cpu = 0;
    notified = 0;
    vgic_send_sgi(&vcpus[0], 3u << 24 | 0xfff8, true); /* vCPUs that do not exist */
    vgic_send_sgi(&vcpus[0], UINT64_C(1) << 16 | 3u << 24 | 2, true);
    vgic_send_sgi(&vcpus[0], UINT64_C(1) << 44 | 3u << 24 | 2, true);
    vgic_send_sgi(&vcpus[0], 3u << 24 | 2, false); /* group 0: configured as group 1 */
    CHECK_EQ(notified, 0);
}

TEST(sgi_disabled_waits)
{
    world();
    load(0, 0);
    gicr_set(0, REG_ENABLE_CLEAR, 1u << 5);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    CHECK_EQ(ack(), SPURIOUS);
    CHECK_EQ(gicr(0, REG_PENDING_SET), 1u << 5);
    gicr_set(0, REG_ENABLE_SET, 1u << 5);
    CHECK_EQ(ack_and_end(), 5);
    /* Pending in a list register when it is disabled. */
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    gicr_set(0, REG_ENABLE_CLEAR, 1u << 5);
    CHECK_EQ(ack(), SPURIOUS);
    gicr_set(0, REG_PENDING_CLEAR, 1u << 5);
    gicr_set(0, REG_ENABLE_SET, 1u << 5);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(sgi_follows_its_vcpu)
{
    world();
    load(0, 0);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    vgic_send_sgi(&vcpus[0], 6u << 24 | 1, true);
    CHECK_EQ(ack(), 5);
    save(0);
    load(0, 1);
    CHECK_EQ(ack(), 6);
    eoi(6);
    eoi(5);
    CHECK_EQ(ack(), SPURIOUS);
    CHECK_EQ(gicr(0, REG_ACTIVE_SET), 0);
    CHECK_EQ(hw[0].lr[0] | hw[0].lr[1], 0);
}

/* --- More than there are list registers ---------------------------------- */

TEST(overflow_goes_by_priority)
{
    world();
    load(0, 0);
    for (uint32_t i = 0; i < 10; i++) {
        vcpus[0].prio[i] = (uint8_t)(0xa0 - 8 * i);
        vgic_send_sgi(&vcpus[0], (uint64_t)i << 24 | 1, true);
    }
    for (uint32_t i = 10; i-- > 0;) {
        CHECK_EQ(ack_and_end(), i);
    }
    CHECK_EQ(ack(), SPURIOUS);
    CHECK_EQ(hw[0].hcr, ICH_HCR_EN);
}

TEST(active_ones_without_a_list_register)
{
    world();
    load(0, 0);
    /* Each preempts the one before: six nested with four list registers. */
    for (uint32_t i = 0; i < 6; i++) {
        vcpus[0].prio[i] = (uint8_t)(0xa0 - 8 * i);
        vgic_send_sgi(&vcpus[0], (uint64_t)i << 24 | 1, true);
        CHECK_EQ(ack(), i);
    }
    CHECK(hw[0].hcr & ICH_HCR_LRENPIE);
    for (uint32_t i = 6; i-- > 0;) {
        eoi(i);
    }
    CHECK_EQ(gicr(0, REG_ACTIVE_SET), 0);
    CHECK_EQ(ack(), SPURIOUS);
    CHECK_EQ(hw[0].hcr, ICH_HCR_EN);
}

TEST(deactivation_without_a_list_register)
{
    world();
    load(0, 0);
    for (uint32_t i = 0; i < 6; i++) {
        vcpus[0].prio[i] = (uint8_t)(0xa0 - 8 * i);
        vgic_send_sgi(&vcpus[0], (uint64_t)i << 24 | 1, true);
        CHECK_EQ(ack(), i);
    }
    CHECK(hw[0].hcr & ICH_HCR_TDIR);
    for (uint32_t i = 0; i < 6; i++) {
        vgic_deactivate(&vcpus[0], i);
    }
    CHECK_EQ(gicr(0, REG_ACTIVE_SET), 0);
    CHECK_EQ(hw[0].hcr, ICH_HCR_EN);
    vgic_deactivate(&vcpus[0], 5000);
}

/* --- The virtual timer --------------------------------------------------- */

static void timer_fires(uint32_t id)
{
    cpu = (uint32_t)where[id];
    timer_asserted = true;
    hw[cpu].vtimer_active = true;
    vgic_ppi_hw(&vcpus[id]);
}

TEST(timer_ends_at_the_host)
{
    world();
    load(0, 0);
    timer_fires(0);
    CHECK_EQ(nr_lr_reads, 0);
    CHECK_EQ(ack(), VTIMER);
    CHECK(hw[0].vtimer_active);
    eoi(VTIMER);
    CHECK(!hw[0].vtimer_active);
    timer_fires(0); /* the list register of before is found empty */
    CHECK_EQ(ack_and_end(), VTIMER);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(timer_pending_over_a_switch)
{
    world();
    load(0, 0);
    timer_fires(0);
    save(0);
    CHECK(!hw[0].vtimer_active); /* the next vCPU's timer can fire */
    load(1, 0);
    CHECK(!hw[0].vtimer_active);
    CHECK_EQ(ack(), SPURIOUS);
    save(1);
    load(0, 1);
    CHECK(hw[1].vtimer_active);
    CHECK_EQ(ack_and_end(), VTIMER);
    CHECK(!hw[1].vtimer_active);
}

TEST(timer_active_over_a_switch)
{
    world();
    load(0, 0);
    timer_fires(0);
    CHECK_EQ(ack(), VTIMER);
    save(0);
    CHECK(!hw[0].vtimer_active);
    load(1, 0);
    timer_fires(1);
    CHECK_EQ(ack_and_end(), VTIMER);
    save(1);
    load(0, 0);
    CHECK(hw[0].vtimer_active);
    CHECK_EQ(ack(), SPURIOUS);
    eoi(VTIMER);
    CHECK(!hw[0].vtimer_active);
}

TEST(timer_set_anew_while_disabled)
{
    world();
    load(0, 0);
    gicr_set(0, REG_ENABLE_CLEAR, 1u << VTIMER);
    timer_fires(0);
    CHECK_EQ(ack(), SPURIOUS);
    timer_asserted = false;
    gicr_set(0, REG_ENABLE_SET, 1u << VTIMER);
    CHECK_EQ(ack(), SPURIOUS);
    CHECK(!hw[0].vtimer_active);
}

TEST(timer_unpended_by_register)
{
    world();
    load(0, 0);
    timer_fires(0);
    gicr_set(0, REG_PENDING_CLEAR, 1u << VTIMER);
    CHECK_EQ(gicr(0, REG_PENDING_SET), 1u << VTIMER); /* its line is high */
    CHECK_EQ(ack_and_end(), VTIMER);
    CHECK(!hw[0].vtimer_active);
}

TEST(timer_deactivated_by_register)
{
    world();
    load(0, 0);
    timer_fires(0);
    CHECK_EQ(ack(), VTIMER);
    CHECK_EQ(gicr(0, REG_ACTIVE_SET), 1u << VTIMER);
    gicr_set(0, REG_ACTIVE_CLEAR, 1u << VTIMER);
    CHECK(!hw[0].vtimer_active);
    CHECK_EQ(gicr(0, REG_ACTIVE_SET), 0);
}

TEST(emulated_timer_is_level)
{
    world();
    load(0, 0);
    vgic_ppi_line(&vcpus[0], PTIMER, true);
    CHECK_EQ(ack_and_end(), PTIMER);
    CHECK_EQ(ack(), PTIMER); /* still high */
    vgic_ppi_line(&vcpus[0], PTIMER, false);
    eoi(PTIMER);
    CHECK_EQ(ack(), SPURIOUS);
    vgic_ppi_line(&vcpus[0], PTIMER, true);
    vgic_ppi_line(&vcpus[0], PTIMER, false); /* withdrawn before it is taken */
    CHECK_EQ(ack(), SPURIOUS);
}

/* --- Shared interrupts --------------------------------------------------- */

TEST(spi_level)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    vgic_spi_line(&gic, 40, true, NULL);
    CHECK_EQ(notified, 1);
    kick(0);
    CHECK_EQ(ack_and_end(), 40);
    CHECK_EQ(ack(), 40);
    vgic_spi_line(&gic, 40, false, NULL);
    kick(0);
    eoi(40);
    CHECK_EQ(ack(), SPURIOUS);
    CHECK_EQ(gicd(REG_PENDING_SET + 4), 0);
    CHECK_EQ(spis[8].owner, VGIC_NO_VCPU);
}

TEST(level_pended_by_a_write_while_active)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    for (uint32_t n = 0; n < 2; n++) {
        gicd_set(REG_PENDING_SET + 4, 1u << 8);
        CHECK_EQ(ack(), 40);
        CHECK_EQ(gicd(REG_PENDING_SET + 4), 0);
        gicd_set(REG_PENDING_SET + 4, 1u << 8);
        CHECK_EQ(gicd(REG_PENDING_SET + 4), 1u << 8);
        CHECK_EQ(ack(), SPURIOUS);
        eoi(40);
        CHECK_EQ(ack_and_end(), 40);
        CHECK_EQ(ack(), SPURIOUS);
    }
    gicr_set(0, REG_PENDING_SET, 1u << PTIMER);
    CHECK_EQ(ack(), PTIMER);
    gicr_set(0, REG_PENDING_SET, 1u << PTIMER);
    CHECK_EQ(gicr(0, REG_PENDING_SET), 1u << PTIMER);
    eoi(PTIMER);
    CHECK_EQ(ack_and_end(), PTIMER);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(line_configured_as_edge)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    gicd_set(REG_CONFIG + 8, 2u << 16); /* INTID 40 */
    vgic_spi_line(&gic, 40, true, NULL);
    kick(0);
    CHECK_EQ(ack_and_end(), 40);
    CHECK_EQ(ack(), SPURIOUS); /* once for each rise */
    vgic_spi_line(&gic, 40, false, NULL);
    vgic_spi_line(&gic, 40, true, NULL);
    vgic_spi_line(&gic, 40, false, NULL);
    kick(0);
    CHECK_EQ(ack_and_end(), 40);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(spi_edge)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    gicd_set(REG_CONFIG + 8, 2u << 16);
    vgic_spi_pulse(&gic, 40, NULL);
    kick(0);
    CHECK_EQ(ack(), 40);
    vgic_spi_pulse(&gic, 40, NULL);
    kick(0);
    CHECK_EQ(gicd(REG_PENDING_SET + 4), 1u << 8);
    CHECK_EQ(gicd(REG_ACTIVE_SET + 4), 1u << 8);
    eoi(40);
    CHECK_EQ(ack_and_end(), 40);
    vgic_spi_pulse(&gic, 40, NULL); /* the ended list register is still remembered */
    kick(0);
    CHECK_EQ(ack_and_end(), 40);
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(spi_routed_anew_while_pending)
{
    world();
    load(0, 0);
    load(1, 1);
    cpu = 0;
    spi_enable(40, 0);
    vgic_spi_line(&gic, 40, true, NULL);
    kick(0);
    notified = 0;
    spi_enable(40, 1);
    CHECK_EQ(notified, 2);
    CHECK_EQ(ack_on(0), SPURIOUS);
    kick(1);
    CHECK_EQ(ack_on(1), 40);
    /* Active on vCPU 1: a new route does not take it away. */
    spi_enable(40, 0);
    kick(0);
    kick(1);
    CHECK_EQ(ack_on(0), SPURIOUS);
    eoi_on(1, 40);
    kick(0);
    CHECK_EQ(ack_on(0), 40);
    /* To nowhere. */
    CHECK(vgic_gicd_write(&vcpus[0], GICD_ROUTER + 8 * 8, 8, 0x99));
    eoi(40);
    CHECK_EQ(ack_on(0), SPURIOUS);
}

TEST(spi_of_the_host)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    spis[8].hwirq = 77;
    for (uint32_t i = 0; i < 3; i++) {
        spi_active[77] = true;
        vgic_spi_pulse(&gic, 40, NULL);
        kick(0);
        CHECK_EQ(ack(), 40);
        CHECK(spi_active[77]);
        if (i == 1) { /* switched away while active */
            save(0);
            CHECK(spi_active[77]);
            load(1, 0);
            save(1);
            load(0, 1);
        }
        eoi(40);
        CHECK(!spi_active[77]);
    }
    spi_active[77] = true;
    vgic_spi_pulse(&gic, 40, NULL);
    kick(0);
    CHECK_EQ(ack(), 40);
    gicd_set(REG_ACTIVE_CLEAR + 4, 1u << 8);
    CHECK(!spi_active[77]);
    CHECK_EQ(gicd(REG_ACTIVE_SET + 4), 0);
}

/* --- Random ------------------------------------------------------------ */

/* No interrupt in two list registers; unused list registers are empty; no lost host state. */
static void check_invariants(void)
{
    for (uint32_t on = 0; on < CPUS; on++) {
        for (uint32_t n = 0; n < LRS; n++) {
            uint64_t a = hw[on].lr[n];

            for (uint32_t m = n + 1; m < LRS && a & LR_STATE; m++) {
                CHECK(!(hw[on].lr[m] & LR_STATE) || (uint32_t)hw[on].lr[m] != (uint32_t)a);
            }
            for (uint32_t other = on + 1; other < CPUS && (uint32_t)a >= 32; other++) {
                for (uint32_t m = 0; m < LRS; m++) {
                    uint64_t b = hw[other].lr[m];

                    CHECK(!(a & LR_STATE && b & LR_STATE) || (uint32_t)a != (uint32_t)b);
                }
            }
        }
    }
    CHECK(!spin_is_locked(&gic.lock));
}

/* One random step; active[] is the stack of what the guest on each CPU handles. */
static uint32_t stack[CPUS][64], depth[CPUS];

static void random_step(void)
{
    uint32_t on = any(CPUS), id = CPUS;
    uint64_t value;

    for (uint32_t i = 0; i < CPUS; i++) {
        id = where[i] == (int)on ? i : id;
    }
    cpu = on;
    if (id == CPUS) {
        uint32_t other = any(CPUS);

        if (where[other] < 0) {
            load(other, on);
        }
        return;
    }
    switch (any(14)) {
    case 0:
        save(id);
        break;
    case 1:
    case 2:
        vgic_send_sgi(&vcpus[id], (uint64_t)any(16) << 24 | any(8), true);
        break;
    case 3:
        vgic_spi_line(&gic, 32 + any(16), any(2), NULL);
        break;
    case 4:
        vgic_spi_pulse(&gic, 48 + any(16), NULL);
        break;
    case 5:
        (void)vgic_gicd_write(&vcpus[id], any(0x400) & ~3u, 4, any(1 << 24) * 257u);
        (void)vgic_gicd_write(&vcpus[id], 0, 4, 2);
        break;
    case 6:
        (void)vgic_gicr_write(&vcpus[id],
                              any(CPUS) * VGIC_GICR_STRIDE + 0x10100 + (any(0x300) & ~3u), 4,
                              any(1 << 24) * 257u & ~(1u << VTIMER));
        break;
    case 7:
        (void)vgic_gicd_write(&vcpus[id], GICD_ROUTER + 8 * any(32), 8, any(4));
        break;
    case 8:
        (void)vgic_gicd_read(&vcpus[id], 0x200 + (any(0x200) & ~3u), 4, &value);
        vcpus[id].retry = false;
        break;
    case 9:
        (void)vgic_gicr_read(&vcpus[id], any(CPUS) * VGIC_GICR_STRIDE + 0x10200 + 0x80 * any(4), 4,
                             &value);
        vcpus[id].retry = false;
        break;
    case 10:
        vgic_deliver(&vcpus[id]);
        break;
    default:
        if (depth[id] != 0 && any(2)) {
            eoi(stack[id][--depth[id]]);
        } else if (depth[id] < 64) {
            uint32_t intid = ack();

            if (intid != SPURIOUS) {
                stack[id][depth[id]++] = intid;
            }
        }
        break;
    }
}

TEST(random_operations_keep_the_invariants)
{
    for (uint32_t run = 0; run < 200; run++) {
        world();
        memset(depth, 0, sizeof(depth));
        seed = run;
        for (uint32_t i = 0; i < 400; i++) {
            random_step();
            check_invariants();
        }
    }
}

/* Whatever happened before, an enabled interrupt that comes now arrives. */
TEST(nothing_is_stuck_after_random_operations)
{
    for (uint32_t run = 0; run < 200; run++) {
        world();
        memset(depth, 0, sizeof(depth));
        seed = 1000 + run;
        for (uint32_t i = 0; i < 300; i++) {
            random_step();
        }
        for (uint32_t id = 0; id < CPUS; id++) {
            if (where[id] >= 0) {
                save(id);
            }
        }
        load(0, 0);
        gicd_set(REG_ACTIVE_CLEAR + 4, ~0u);
        gicr_set(0, REG_ACTIVE_CLEAR, ~0u);
        for (uint32_t i = 0; i < 200 && ack_and_end() != SPURIOUS; i++) {
            vgic_spi_line(&gic, 32 + i % 64, false, NULL);
            kick(0);
        }
        gicr_set(0, REG_ENABLE_SET, 1u << 9);
        gicr_set(0, REG_GROUP, ~0u);
        vcpus[0].prio[9] = 0;
        vgic_send_sgi(&vcpus[0], 9u << 24 | 1, true);
        CHECK_EQ(ack_and_end(), 9);
    }
}
