/* SPDX-License-Identifier: MIT */
/*
 * The virtual GICv3 of arm64 against a model of the hardware: list registers
 * of several CPUs, a guest that acknowledges and ends, and the host's active
 * states. What QEMU hardly shows is here: overflow, switches with an
 * interrupt in flight, registers of a vCPU that runs elsewhere.
 */
#include "random.h"
#include "unit.h"

#include "../../hv/arch/arm64/vgic_mmio.c"
#include "../../hv/arch/arm64/vgicv3.c"

#define CPUS 3
#define LRS 4
#define VTIMER 27
#define PTIMER 30
#define SPURIOUS 1023u

/* --- The hardware -------------------------------------------------------- */

struct hw_cpu {
    uint64_t lr[LRS];
    uint64_t hcr, vmcr;
    uint64_t apr[2][4];
    bool vtimer_active; /* the host's PPI on this CPU */
};

static struct hw_cpu hw[CPUS];
static bool spi_active[1024]; /* at the host */
static bool timer_asserted;
static uint32_t cpu; /* that executes the hypervisor */
static uint32_t nr_lr_reads;

uint64_t ich_lr_read(uint32_t n)
{
    nr_lr_reads++;
    return hw[cpu].lr[n];
}
void ich_lr_write(uint32_t n, uint64_t value) { hw[cpu].lr[n] = value; }

uint16_t ich_elrsr_read(void)
{
    uint16_t empty = 0;

    for (uint32_t n = 0; n < LRS; n++) {
        uint64_t lr = hw[cpu].lr[n];

        if (!(lr & LR_STATE) && (lr & LR_HW || !(lr & LR_EOI))) {
            empty |= (uint16_t)(1u << n);
        }
    }
    return empty;
}

uint64_t ich_hcr_read(void) { return hw[cpu].hcr; }
void ich_hcr_write(uint64_t value) { hw[cpu].hcr = value; }
uint64_t ich_vmcr_read(void) { return hw[cpu].vmcr; }
void ich_vmcr_write(uint64_t value) { hw[cpu].vmcr = value; }
uint64_t ich_apr_read(uint32_t group, uint32_t n) { return hw[cpu].apr[group][n]; }
void ich_apr_write(uint32_t group, uint32_t n, uint64_t value) { hw[cpu].apr[group][n] = value; }

void host_irq_set_active(uint32_t intid)
{
    CHECK_EQ(intid, VTIMER);
    hw[cpu].vtimer_active = true;
}

static void host_deactivate_on(uint32_t on, uint32_t intid)
{
    if (intid == VTIMER) {
        hw[on].vtimer_active = false;
    } else {
        spi_active[intid] = false;
    }
}

void host_irq_deactivate(uint32_t intid) { host_deactivate_on(cpu, intid); }
bool host_vtimer_asserted(void) { return timer_asserted; }

/* --- The world: a domain of three vCPUs ---------------------------------- */

static struct vgic gic;
static struct vgic_cpu vcpus[CPUS], *vcpu_ptrs[CPUS];
static struct vgic_spi spis[64];
static int where[CPUS]; /* CPU that has it loaded, -1: none */
static uint32_t notified, published;

void vgic_notify(struct vgic_cpu *c) { notified |= 1u << c->id; }

void vgic_publish(struct vgic_cpu *c)
{
    vgic_notify(c);
    published |= 1u << c->id;
}

bool vgic_loaded_elsewhere(const struct vgic_cpu *c)
{
    return where[c->id] >= 0 && where[c->id] != (int)cpu;
}

static void load(uint32_t id, uint32_t on)
{
    cpu = on;
    vgic_load(&vcpus[id]);
    where[id] = (int)on;
    vgic_deliver(&vcpus[id]);
}

static void save(uint32_t id)
{
    cpu = (uint32_t)where[id];
    vgic_save(&vcpus[id]);
    where[id] = -1;
}

/* The owner of id is interrupted and delivers. */
static void kick(uint32_t id)
{
    uint32_t was = cpu;

    cpu = (uint32_t)where[id];
    vgic_deliver(&vcpus[id]);
    cpu = was;
}

static void world(void)
{
    memset(hw, 0, sizeof(hw));
    memset(spi_active, 0, sizeof(spi_active));
    memset(vcpus, 0, sizeof(vcpus));
    memset(spis, 0, sizeof(spis));
    timer_asserted = false;
    notified = published = nr_lr_reads = 0;
    gic = (struct vgic){ .lock = SPINLOCK_INIT(LOCK_RANK_VINTC),
                         .nr_cpus = CPUS,
                         .nr_spis = 64,
                         .nr_lrs = LRS,
                         .nr_apr = 1,
                         .prio_mask = 0xf8,
                         .ppi_hw = VTIMER,
                         .ctlr = GICD_CTLR_GRP1,
                         .cpu = vcpu_ptrs,
                         .spis = spis };
    for (uint32_t i = 0; i < 64; i++) {
        spis[i].owner = VGIC_NO_VCPU;
        spis[i].group1 = true;
        spis[i].prio = 0xa0;
    }
    for (uint32_t id = 0; id < CPUS; id++) {
        vcpu_ptrs[id] = &vcpus[id];
        vcpus[id].gic = &gic;
        vcpus[id].id = (uint16_t)id;
        vcpus[id].group = ~0u;
        vcpus[id].enabled = ~0u;
        vcpus[id].vmcr = (uint64_t)0xf0 << 24 | ICH_VMCR_GRP1;
        memset(vcpus[id].prio, 0xa0, 32);
        vgic_update_open(&vcpus[id]);
        where[id] = -1;
        hw[id].hcr = ICH_HCR_EN;
    }
    cpu = 0;
}

/* --- The guest on CPU `on` ----------------------------------------------- */

static uint32_t ack_on(uint32_t on)
{
    uint32_t best = LRS, prio = 256;

    for (uint32_t n = 0; n < LRS; n++) {
        uint64_t lr = hw[on].lr[n];
        uint32_t p = (uint32_t)(lr >> LR_PRIO_SHIFT) & 0xff;

        if (lr & LR_PENDING && p < prio) {
            best = n;
            prio = p;
        }
    }
    if (best == LRS) {
        return SPURIOUS;
    }
    hw[on].lr[best] ^= LR_STATE & ~(hw[on].lr[best] & LR_ACTIVE);
    return (uint32_t)hw[on].lr[best];
}

/* Ends; takes the maintenance interrupt that this may cause. */
static void eoi_on(uint32_t on, uint32_t intid)
{
    bool found = false, maintenance = false, pending = false;

    for (uint32_t n = 0; n < LRS; n++) {
        uint64_t *lr = &hw[on].lr[n];

        if ((uint32_t)*lr == intid && *lr & LR_ACTIVE) {
            found = true;
            *lr &= ~LR_ACTIVE;
            if (*lr & LR_HW) {
                host_deactivate_on(on, (uint32_t)(*lr >> LR_PINTID_SHIFT) & 0x3ff);
            } else if (*lr & LR_EOI && !(*lr & LR_STATE)) {
                maintenance = true;
            }
        }
        pending |= (*lr & LR_PENDING) != 0;
    }
    if (!found) {
        hw[on].hcr += UINT64_C(1) << 27;
        maintenance |= hw[on].hcr & ICH_HCR_LRENPIE;
    }
    maintenance |= hw[on].hcr & ICH_HCR_NPIE && !pending;
    for (uint32_t id = 0; id < CPUS && maintenance; id++) {
        if (where[id] == (int)on) {
            uint32_t was = cpu;

            cpu = on;
            vgic_sync(&vcpus[id]);
            cpu = was;
        }
    }
}

static uint32_t ack(void) { return ack_on(cpu); }
static void eoi(uint32_t intid) { eoi_on(cpu, intid); }

/* Acknowledge may empty the pending ones: NPIE. */
static uint32_t ack_and_end(void)
{
    uint32_t intid = ack();

    if (intid != SPURIOUS) {
        eoi(intid);
    }
    return intid;
}

/* The vCPU that runs on this CPU. */
static struct vgic_cpu *self(void)
{
    for (uint32_t id = 0; id < CPUS; id++) {
        if (where[id] == (int)cpu) {
            return &vcpus[id];
        }
    }
    return &vcpus[0];
}

static uint32_t gicd(uint32_t offset)
{
    uint64_t value;

    CHECK(vgic_gicd_read(self(), offset, 4, &value));
    return (uint32_t)value;
}

static void gicd_set(uint32_t offset, uint32_t value)
{
    CHECK(vgic_gicd_write(self(), offset, 4, value));
}

static void gicr_set(uint32_t id, uint32_t offset, uint32_t value)
{
    CHECK(vgic_gicr_write(self(), id * VGIC_GICR_STRIDE + 0x10000 + offset, 4, value));
}

static uint32_t gicr(uint32_t id, uint32_t offset)
{
    uint64_t value;

    CHECK(vgic_gicr_read(self(), id * VGIC_GICR_STRIDE + 0x10000 + offset, 4, &value));
    return (uint32_t)value;
}

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

static void spi_enable(uint32_t intid, uint32_t target)
{
    gicd_set(REG_ENABLE_SET + intid / 32 * 4, 1u << intid % 32);
    CHECK(vgic_gicd_write(self(), GICD_ROUTER + 8 * (intid - 32), 8, target));
}

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
