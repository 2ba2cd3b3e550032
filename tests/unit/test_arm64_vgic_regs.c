/* SPDX-License-Identifier: MIT */
/*
 * Registers of the virtual GICv3 of arm64, also of vCPUs that run elsewhere; what ends a WFI;
 * reset. arm64_vgic.h has the model of the hardware.
 */
#include "arm64_vgic.h"

/* --- Registers of a vCPU that runs elsewhere ----------------------------- */

TEST(spi_of_the_host_unpended)
{
    world();
    load(0, 0);
    spi_enable(50, 0);
    spis[18].hwirq = 77;
    spi_active[77] = true;
    vgic_spi_pulse(&gic, 50, NULL);
    kick(0);
    gicd_set(REG_PENDING_CLEAR + 4, 1u << 18);
    CHECK(!spi_active[77]); /* it can come again */
    CHECK_EQ(ack(), SPURIOUS);
}

TEST(icactiver_of_a_running_vcpu)
{
    world();
    load(0, 0);
    load(1, 1);
    vgic_send_sgi(&vcpus[1], 4u << 24 | 2, true);
    CHECK_EQ(ack_on(1), 4);
    cpu = 0;
    notified = 0;
    gicr_set(1, REG_ACTIVE_CLEAR, 1u << 4);
    CHECK_EQ(notified, 2);
    kick(1);
    CHECK_EQ(hw[1].lr[0] & LR_STATE, 0);
    gicr_set(1, REG_ACTIVE_SET, 1u << 6);
    kick(1);
    CHECK_EQ(hw[1].lr[0], LR_ACTIVE | LR_GROUP1 | (uint64_t)0xa0 << LR_PRIO_SHIFT | 6);
    eoi_on(1, 6);
}

TEST(state_read_waits_for_the_owner)
{
    world();
    load(0, 0);
    load(1, 1);
    vgic_send_sgi(&vcpus[1], 4u << 24 | 2, true);
    CHECK_EQ(ack_on(1), 4);
    cpu = 0;
    gicr(1, REG_ACTIVE_SET);
    CHECK(vcpus[0].retry);
    CHECK_EQ(published, 2);
    vcpus[0].retry = false;
    gicr(1, REG_ACTIVE_SET);
    CHECK(vcpus[0].retry); /* not yet */
    vcpus[0].retry = false;
    kick(1);
    CHECK_EQ(gicr(1, REG_ACTIVE_SET), 1u << 4);
    CHECK(!vcpus[0].retry);
    /* One that is loaded nowhere is read at once. */
    save(1);
    cpu = 0;
    CHECK_EQ(gicr(1, REG_ACTIVE_SET), 1u << 4);
    CHECK(!vcpus[0].retry);
}

TEST(spi_state_read_waits_for_all_owners)
{
    world();
    for (uint32_t id = 0; id < 3; id++) {
        load(id, id);
    }
    cpu = 0;
    for (uint32_t id = 1; id < 3; id++) {
        spi_enable(40 + id, id);
        vgic_spi_line(&gic, 40 + id, true, NULL);
        kick(id);
        CHECK_EQ(ack_on(id), 40 + id);
    }
    uint32_t value = 0, tries = 0;

    do {
        vcpus[0].retry = false;
        value = gicd(REG_ACTIVE_SET + 4);
        kick(1);
        kick(2);
        tries++;
    } while (vcpus[0].retry && tries < 10);
    CHECK(!vcpus[0].retry);
    CHECK_EQ(tries, 3);
    CHECK_EQ(value, 3u << 9);
}

/* --- WFI, registers, reset ----------------------------------------------- */

TEST(wfi_sees_what_would_be_signalled)
{
    world();
    CHECK(!vgic_has_event(&vcpus[0]));
    vgic_pend_private(&vcpus[0], 3, NULL);
    CHECK(vgic_has_event(&vcpus[0]));
    vcpus[0].vmcr = (uint64_t)0xa0 << 24 | ICH_VMCR_GRP1; /* masked by priority */
    CHECK(!vgic_has_event(&vcpus[0]));
    vcpus[0].vmcr = (uint64_t)0xf0 << 24 | ICH_VMCR_GRP0;
    CHECK(!vgic_has_event(&vcpus[0]));
    vcpus[0].vmcr = (uint64_t)0xf0 << 24 | ICH_VMCR_GRP1;
    load(0, 0);
    CHECK(vgic_has_event(&vcpus[0]));
    CHECK_EQ(ack(), 3);
    CHECK(!vgic_has_event(&vcpus[0]));
    eoi(3);
    save(0);
    spis[8].enabled = true;
    vgic_spi_line(&gic, 40, true, NULL);
    CHECK(vgic_has_event(&vcpus[0]));
}

TEST(registers)
{
    uint64_t value;

    world();
    load(0, 0);
    CHECK_EQ(gicd(4) & 0x1f, 2);
    CHECK_EQ(gicd(0), GICD_CTLR_GRP1 | GICD_CTLR_ARE | GICD_CTLR_DS);
    CHECK_EQ(gicd(0xc), 0);
    CHECK_EQ(gicd(0xffe8) & 0xf0, 0x30);
    gicd_set(0, ~0u);
    CHECK_EQ(gicd(0) & 3, 3);
    gicd_set(0, 2);
    gicd_set(REG_PRIORITY + 40, 0x12345678);
    CHECK_EQ(gicd(REG_PRIORITY + 40), 0x12305078 & 0xf8f8f8f8);
    CHECK(vgic_gicd_write(&vcpus[0], REG_PRIORITY + 41, 1, 0xff));
    CHECK_EQ(gicd(REG_PRIORITY + 40), 0x1030f878);
    CHECK(vgic_gicd_read(&vcpus[0], REG_PRIORITY + 43, 1, &value));
    CHECK_EQ(value, 0x10);
    CHECK_EQ(gicd(REG_ENABLE_SET), 0); /* private ones are the redistributors' */
    gicd_set(REG_ENABLE_SET + 0x40, ~0u); /* beyond nr_spis */
    CHECK_EQ(gicd(REG_ENABLE_SET + 0x40), 0);
    CHECK(!vgic_gicd_read(&vcpus[0], 4, 2, &value));
    CHECK(!vgic_gicd_write(&vcpus[0], 0, 8, 0));
    CHECK(vgic_gicr_read(&vcpus[0], 2 * VGIC_GICR_STRIDE + 8, 8, &value));
    CHECK_EQ(value, UINT64_C(2) << 32 | 2 << 8 | 1 << 4);
    CHECK(vgic_gicr_read(&vcpus[0], 2 * VGIC_GICR_STRIDE + 12, 4, &value));
    CHECK_EQ(value, 2);
    CHECK(vgic_gicr_read(&vcpus[0], 9 * VGIC_GICR_STRIDE + 8, 8, &value)); /* no such vCPU */
    CHECK_EQ(value, 0);
    CHECK_EQ(gicr(0, REG_CONFIG), 0xaaaaaaaa);
    gicr_set(0, REG_CONFIG + 4, 0xaaaaaaaa);
    CHECK_EQ(gicr(0, REG_CONFIG + 4), 0xaaaaaaaa);
}

TEST(group_switched_off_at_the_distributor)
{
    world();
    load(0, 0);
    spi_enable(40, 0);
    vgic_spi_line(&gic, 40, true, NULL);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    kick(0);
    gicd_set(0, 0);
    CHECK_EQ(ack(), SPURIOUS);
    gicd_set(0, 2);
    CHECK_EQ(ack_and_end(), 5);
    CHECK_EQ(ack(), 40);
}

TEST(reset_forgets_active)
{
    world();
    load(0, 0);
    vgic_send_sgi(&vcpus[0], 5u << 24 | 1, true);
    spi_enable(40, 0);
    spis[8].hwirq = 77;
    spi_active[77] = true;
    vgic_spi_pulse(&gic, 40, NULL);
    kick(0);
    CHECK_EQ(ack(), 5);
    CHECK_EQ(ack(), 40);
    save(0);
    vgic_cpu_reset(&vcpus[0]);
    CHECK_EQ(vcpus[0].active, 0);
    CHECK(!spi_active[77]);
    CHECK_EQ(spis[8].owner, VGIC_NO_VCPU);
}
