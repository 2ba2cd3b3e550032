/* SPDX-License-Identifier: MIT */
/*
 * struct arch_host: what the boot found out about this machine. Written while
 * booting, read-only afterwards except where a lock is named; reached by
 * p->arch.host, or from hv by arch_host().
 *
 * struct machine holds the mutable state of the host: the one object of it is
 * in start.c.
 */
#ifndef RISCV64_HOST_H
#define RISCV64_HOST_H

#include <arch/stage2.h>
#include <loam/clock.h>
#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/lock.h>
#include <loam/pcpu.h>
#include <loam/types.h>

#define GUEST_MODES 3 /* of guest page tables: Sv39x4, Sv48x4, Sv57x4 */

/* Which controller brings device interrupts to this machine's harts. */
enum host_intc { HOST_INTC_NONE, HOST_INTC_PLIC, HOST_INTC_APLIC, HOST_INTC_IMSIC };

struct plic; /* plic.h */
struct aplic; /* aplic.h */
struct imsic; /* imsic.h */

/* Registers of an interrupt controller: no domain's to have. */
struct intc_region {
    hpa_t addr;
    uint64_t size;
    uintptr_t regs; /* mapped */
};
#define INTC_REGIONS_MAX 17 /* an APLIC and 16 groups of interrupt files */

struct host_cpu {
    uint64_t hartid;
    uint32_t intc_phandle; /* of its interrupt-controller child, "riscv,cpu-intc" */
};

struct arch_host {
    /*
     * Abilities, the same on all CPUs. From the boot CPU's riscv,isa-extensions. First, where
     * a load reaches them: each switch between vCPUs looks.
     */
    bool has_h, has_sstc;
    bool has_svpbmt;
    bool has_zicntr; /* cycle and instret may be read */
    bool has_smstateen;
    bool has_ssaia;
    bool has_vector; /* V, of the same length; atomic while CPUs start (vector.c) */
    uint32_t vlenb; /* bytes of a vector register of the boot CPU */
    uint8_t vmid_bits;
    uint32_t cbo_zero_size; /* bytes that cbo.zero clears (riscv,cboz-block-size), 0: none */
    uint64_t henvcfg; /* as it stuck (WARL) */

    struct clock clock; /* of the time CSR, from timebase-frequency */

    /* Where the image was loaded (start.c), and the address space (mmu.c; boot CPU only). */
    uint64_t image_pa, image_size;
    uint32_t tables_used;
    uintptr_t device_next;
    uint64_t satp; /* of the hypervisor, all CPUs */
    uint64_t direct_va; /* address of machine address 0 in the direct map */
    uint8_t levels; /* of its page tables: 3, 4, 5 for Sv39, Sv48, Sv57 */

    /* CPUs, in the order of the device tree; the boot CPU first. */
    uint32_t nr_cpus;
    struct host_cpu cpu[HV_PCPUS_MAX];

    struct fdt fdt; /* the host's tree; its blob stays mapped */
    struct fdt_node boot_node; /* of the boot CPU in it */

    /* Firmware (sbi.c): version and which extensions answer. */
    uint32_t sbi_version;
    bool sbi_time, sbi_ipi, sbi_rfence, sbi_hsm, sbi_srst, sbi_dbcn;

    /* Interrupt controllers of the machine (irq.c). */
    enum host_intc intc;
    uint32_t intc_phandle; /* of the controller that device nodes name */
    uint32_t nr_irqs; /* numbers of device interrupts are 1 .. nr_irqs - 1 */
    struct plic *plic; /* HOST_INTC_PLIC */
    struct aplic *aplic; /* HOST_INTC_APLIC, and HOST_INTC_IMSIC, to whose files it sends */
    struct imsic *imsic; /* HOST_INTC_IMSIC */
    uint32_t nr_intc_regions;
    struct intc_region intc_region[INTC_REGIONS_MAX];

    /* Guest page tables (stage2.c). */
    struct stage2_format s2[GUEST_MODES];
};

struct machine {
    struct hv hv;
    struct arch_host host;
    struct pcpu boot_cpu;
};

static inline struct arch_host *arch_host(struct hv *hv)
{
    return &container_of(hv, struct machine, hv)->host;
}

static inline const struct arch_host *arch_host_const(const struct hv *hv)
{
    return &((const struct machine *)((const char *)hv - offsetof(struct machine, hv)))->host;
}

#endif
