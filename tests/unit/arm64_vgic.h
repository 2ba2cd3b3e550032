/* SPDX-License-Identifier: MIT */
/*
 * The virtual GICv3 of arm64 over a model of the hardware: list registers of several CPUs, a
 * guest that acknowledges and ends, and the host's active states. What QEMU hardly shows is
 * here: overflow, switches with an interrupt in flight, registers of a vCPU that runs elsewhere.
 */
#ifndef ARM64_VGIC_TEST_H
#define ARM64_VGIC_TEST_H

#include "unit.h"

#include "../../hv/arch/arm64/vgic_mmio.c"
#include "../../hv/arch/arm64/vgic_spi.c"
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

static void spi_enable(uint32_t intid, uint32_t target)
{
    gicd_set(REG_ENABLE_SET + intid / 32 * 4, 1u << intid % 32);
    CHECK(vgic_gicd_write(self(), GICD_ROUTER + 8 * (intid - 32), 8, target));
}

#endif
