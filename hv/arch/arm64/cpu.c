/* SPDX-License-Identifier: MIT */
/*
 * The CPU: what it can do, and the controls of EL2 (Arm DDI 0487 D24.2).
 *
 * cpu_init() leaves every trap and control that decides what a guest may do in
 * a defined state, because reset values are unknown: what a guest is not shown
 * it cannot reach either. What differs by domain or vCPU (HCR_EL2, VTTBR_EL2,
 * CPTR_EL2.TZ, VMPIDR_EL2) is written again by vcpu.c.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/printf.h>
#include <xen/errno.h>

#include "cpu.h"
#include "host.h"
#include "idreg.h"
#include "stage2.h"
#include "sysreg.h"

#define HCRX_EL2 S3_4_C1_C2_2
#define HFGRTR_EL2 S3_4_C1_C1_4
#define HFGWTR_EL2 S3_4_C1_C1_5
#define HFGITR_EL2 S3_4_C1_C1_6
#define HDFGRTR_EL2 S3_4_C3_C1_4
#define HDFGWTR_EL2 S3_4_C3_C1_5
#define HAFGRTR_EL2 S3_4_C3_C1_6
#define HDFGRTR2_EL2 S3_4_C3_C1_0
#define HDFGWTR2_EL2 S3_4_C3_C1_1
#define HFGRTR2_EL2 S3_4_C3_C1_2
#define HFGWTR2_EL2 S3_4_C3_C1_3
#define HFGITR2_EL2 S3_4_C3_C1_7
#define TRFCR_EL2 S3_4_C1_C2_1
#define PMSCR_EL2 S3_4_C9_C9_0
#define MPAM2_EL2 S3_4_C10_C5_0

/* CPTR_EL2 without E2H: SVE and SME trap, AMU and trace registers too, FP does not. */
#define CPTR_TAM BIT(30)
#define CPTR_TTA BIT(20)
#define CPTR_RES1 0x33ff
/* MDCR_EL2: debug, OS lock, PMU, SPE and trace filter registers trap. */
#define MDCR_TTRF BIT(19)
#define MDCR_TPMS BIT(14)
#define MDCR_TDRA BIT(11)
#define MDCR_TDOSA BIT(10)
#define MDCR_TDA BIT(9)
#define MDCR_TPM BIT(6)
#define MDCR_TPMCR BIT(5)
#define MPAM_TRAP (BIT(49) | BIT(48))

static uint32_t field(uint64_t reg, uint32_t shift)
{
    return (uint32_t)(reg >> shift) & 0xf;
}

struct pcpu *this_pcpu(void)
{
    return (struct pcpu *)sysreg_read(tpidr_el2);
}

uint8_t cpu_pa_bits(void)
{
    /* ID_AA64MMFR0_EL1.PARange; descriptors without FEAT_LPA2 hold 48 bits. */
    static const uint8_t bits[] = { 32, 36, 40, 42, 44, 48 };
    uint32_t range = field(sysreg_read(id_aa64mmfr0_el1), 0);

    return range < ARRAY_SIZE(bits) ? bits[range] : 48;
}

static void init_fine_grained_traps(void)
{
    uint32_t fgt = field(sysreg_read(id_aa64mmfr0_el1), 56);

    /* Zero: positive bits trap nothing, negative ones (nXX) trap features that are hidden. */
    if (fgt >= 1) {
        sysreg_write_s(HFGRTR_EL2, 0);
        sysreg_write_s(HFGWTR_EL2, 0);
        sysreg_write_s(HFGITR_EL2, 0);
        sysreg_write_s(HDFGRTR_EL2, 0);
        sysreg_write_s(HDFGWTR_EL2, 0);
        if (field(sysreg_read(id_aa64pfr0_el1), 44)) { /* AMU */
            sysreg_write_s(HAFGRTR_EL2, 0);
        }
    }
    if (fgt >= 2) {
        sysreg_write_s(HFGRTR2_EL2, 0);
        sysreg_write_s(HFGWTR2_EL2, 0);
        sysreg_write_s(HFGITR2_EL2, 0);
        sysreg_write_s(HDFGRTR2_EL2, 0);
        sysreg_write_s(HDFGWTR2_EL2, 0);
    }
}

static void init_debug(void)
{
    uint64_t dfr = sysreg_read(id_aa64dfr0_el1);
    uint64_t mdcr = MDCR_TDRA | MDCR_TDOSA | MDCR_TDA | MDCR_TPM | MDCR_TPMCR | MDCR_TPMS;
    uint32_t pmu = field(dfr, 8);

    if (pmu != 0 && pmu != 0xf) {
        mdcr |= (sysreg_read(pmcr_el0) >> 11) & 0x1f; /* HPMN: no counter is the hypervisor's */
    }
    if (field(dfr, 40)) { /* trace filter */
        mdcr |= MDCR_TTRF;
        sysreg_write_s(TRFCR_EL2, 0);
    }
    sysreg_write(mdcr_el2, mdcr);
    if (field(dfr, 32)) { /* statistical profiling */
        sysreg_write_s(PMSCR_EL2, 0);
    }
    /* EL2's own debug exceptions stay off by PSTATE.D. */
}

void cpu_init(void)
{
    uint64_t pfr0 = sysreg_read(id_aa64pfr0_el1);

    sysreg_write(cptr_el2, CPTR_RES1 | CPTR_TTA | (field(pfr0, 44) ? CPTR_TAM : 0));
    sysreg_write(hstr_el2, 0);
    sysreg_write(hacr_el2, 0);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(vttbr_el2, 0);
    /* Physical counter and timer trap, the event stream is off; the virtual ones do not trap. */
    sysreg_write(cnthctl_el2, 0);
    sysreg_write(cntvoff_el2, 0);
    sysreg_write(cnthp_ctl_el2, 0);
    sysreg_write(cntv_ctl_el0, 0);
    sysreg_write(cntp_ctl_el0, 0);
    if (field(sysreg_read(id_aa64mmfr1_el1), 40)) {
        sysreg_write_s(HCRX_EL2, 0);
    }
    if (field(pfr0, 40)) {
        sysreg_write_s(MPAM2_EL2, MPAM_TRAP);
    }
    init_fine_grained_traps();
    init_debug();
    isb();
    this_pcpu()->arch.hcr = sysreg_read(hcr_el2);
}

int arch_cpu_probe(struct hv *hv, const struct fdt *host_tree)
{
    struct arch_host *host = arch_host(hv);
    uint64_t pfr0 = sysreg_read(id_aa64pfr0_el1);
    uint64_t mmfr0 = sysreg_read(id_aa64mmfr0_el1);
    uint64_t mmfr1 = sysreg_read(id_aa64mmfr1_el1);
    uint64_t isar1 = sysreg_read(id_aa64isar1_el1);
    uint64_t isar2 = sysreg_read(S3_0_C0_C6_2);
    uint64_t ctr = sysreg_read(ctr_el0);
    uint64_t dczid = sysreg_read(dczid_el0);

    if (sysreg_read(hcr_el2) & HCR_E2H) {
        log_error(hv, "cpu: HCR_EL2.E2H is fixed to 1 here; Loam needs the mode without VHE");
        return -XEN_ENODEV;
    }
    if (field(pfr0, 24) == 0) {
        log_error(hv, "cpu: no system registers for a GICv3");
        return -XEN_ENODEV;
    }
    if (field(mmfr0, 28) == 0xf) {
        log_error(hv, "cpu: no 4 KiB pages");
        return -XEN_ENODEV;
    }
    host->vmid_bits = field(mmfr1, 4) == 2 ? 16 : 8;
    host->has_fwb = field(sysreg_read(id_aa64mmfr2_el1), 40) != 0;
    host->has_pauth = (isar1 & BITS(11, 4)) != 0 || field(isar2, 12) != 0;
    host->has_sve = field(pfr0, 32) != 0;
    host->has_hcx = field(mmfr1, 40) != 0;
    host->has_fgt = field(mmfr0, 56) != 0;
    host->dczva_size = dczid & BIT(4) ? 0 : 4u << (dczid & 0xf);
    host->dcache_line = 4u << field(ctr, 16);
    host->icache_line = 4u << field(ctr, 0);
    stage2_init(hv);
    idreg_init(host);
    sve_probe(host);
    return 0;
}

void arch_describe(const struct hv *hv, char *buf, size_t size)
{
    const struct arch_host *host = arch_host_const(hv);
    uint64_t midr = sysreg_read(midr_el1);

    fmt_print(buf, size,
              "arm64, CPU %02x-%03x r%up%u, %u of them, %u-bit addresses, "
              "GICv3 with %u interrupts, timer %u kHz",
              (uint32_t)(midr >> 24) & 0xff, (uint32_t)(midr >> 4) & 0xfff,
              (uint32_t)(midr >> 20) & 0xf, (uint32_t)midr & 0xf, host->nr_cpus, host->pa_bits,
              host->nr_irqs, (uint32_t)(host->counter.hz / 1000));
}

void arch_cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

void arch_cpu_wait(void)
{
    dsb(sy); /* what was written is out before the CPU may lose its clock */
    __asm__ volatile("wfi" ::: "memory");
}

void arch_cpu_halt(void)
{
    for (;;) {
        __asm__ volatile("msr daifset, #0xf\n\twfi" ::: "memory");
    }
}

void arch_machine_off(struct hv *hv)
{
    psci_system_off(arch_host(hv));
    arch_cpu_halt();
}

void arch_machine_reset(struct hv *hv)
{
    psci_system_reset(arch_host(hv));
    arch_cpu_halt();
}

int arch_platform_init(struct hv *hv, const struct fdt *host_tree)
{
    psci_init(hv, host_tree);
    int rc = counter_init(hv, host_tree);
    if (rc == 0) {
        rc = gicv3_init(hv, host_tree);
    }
    return rc ? rc : smp_init(hv, host_tree);
}

/* There is no driver: what is behind an IOMMU is guarded by none. */
int arch_iommu_init(struct hv *hv, const struct fdt *host_tree) { return 0; }

int arch_pcpu_init(struct pcpu *p)
{
    int rc = gicv3_init_pcpu(p);

    sysreg_write(vtcr_el2, p->arch.host->vtcr);
    isb();
    return rc;
}
