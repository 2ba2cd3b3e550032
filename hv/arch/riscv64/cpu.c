/* SPDX-License-Identifier: MIT */
/*
 * The CPU: what it can do, and the controls of HS mode (Priv. spec ch. 12, 21).
 *
 * What a hart can do stands in the device tree (riscv,isa-extensions); what stuck of
 * a control register is read back, because its fields may be read-only (WARL).
 * What differs by domain or vCPU (hgatp, hstatus, htimedelta) is written by vcpu.c.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "cpu.h"
#include "csr.h"
#include "host.h"
#include "irq.h"
#include "sbi.h"
#include "stage2.h"
#include "vector.h"

/*
 * Traps of VS and VU mode that the guest handles itself: misaligned and faulting
 * fetches, illegal instructions, breakpoints, misaligned and faulting accesses,
 * environment calls from VU, page faults. Without illegal instructions where guests have
 * V: their first use of its registers is one (vector.c).
 */
#define HEDELEG 0xb1ff
#define HIDELEG (HIP_VSSIP | HIP_VSTIP | HIP_VSEIP)
/* Smstateen: AIA state, indirect access, senvcfg. */
#define HSTATEEN0 (BIT(63) | BIT(62) | BIT(60) | BIT(59) | BIT(58))

struct pcpu *this_pcpu(void)
{
    struct pcpu *p;

    __asm__ volatile("mv %0, tp" : "=r"(p));
    return p;
}

static struct fdt_node find_cpu(const struct fdt *fdt, uint64_t hartid)
{
    struct fdt_node cpus = fdt_find(fdt, "/cpus");
    struct fdt_node cpu;

    for_each_fdt_child(fdt, cpus, cpu)
    {
        uint64_t id;

        if (fdt_compatible(fdt, cpu, "riscv") && fdt_reg(fdt, cpu, 0, &id, NULL) == 0 &&
            id == hartid) {
            return cpu;
        }
    }
    return FDT_NONE;
}

/* Does the ISA string (binding riscv,isa; underscores between long names) hold this one? */
static bool isa_string_has(const char *isa, const char *name)
{
    size_t length = strlen(name);

    if (isa == NULL || strncmp(isa, "rv64", 4) != 0) {
        return false;
    }
    const char *at = isa + 4;

    if (length == 1) { /* single letters stand before the first underscore */
        while (*at != '\0' && *at != '_') {
            if (*at++ == name[0]) {
                return true;
            }
        }
        return false;
    }
    while ((at = strchr(at, '_')) != NULL) {
        at++;
        if (strncmp(at, name, length) == 0 && (at[length] == '_' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

bool cpu_has(const struct fdt *fdt, struct fdt_node cpu, const char *name)
{
    if (fdt_has_prop(fdt, cpu, "riscv,isa-extensions")) {
        return fdt_string_contains(fdt, cpu, "riscv,isa-extensions", name);
    }
    return isa_string_has(fdt_string(fdt, cpu, "riscv,isa"), name);
}

void cpu_find(struct arch_host *host, uint64_t hartid)
{
    const struct fdt *fdt = &host->fdt;
    struct fdt_node cpu = find_cpu(fdt, hartid);

    host->boot_node = cpu;
    host->has_h = cpu_has(fdt, cpu, "h");
    host->has_sstc = cpu_has(fdt, cpu, "sstc");
    host->has_zicntr = cpu_has(fdt, cpu, "zicntr");
    host->has_smstateen = cpu_has(fdt, cpu, "smstateen");
    host->has_ssaia = cpu_has(fdt, cpu, "ssaia");
    host->has_vector = cpu_has(fdt, cpu, "v");
    if (cpu_has(fdt, cpu, "zicboz")) {
        uint32_t size = fdt_u32_or(fdt, cpu, "riscv,cboz-block-size", 0);

        host->cbo_zero_size = is_power_of_two(size) && size <= PAGE_SIZE ? size : 0;
    }
    uint32_t hz = fdt_u32_or(fdt, fdt_find(fdt, "/cpus"), "timebase-frequency", 0);

    hz = fdt_u32_or(fdt, cpu, "timebase-frequency", hz);
    if (hz != 0) {
        clock_init(&host->clock, hz);
    }
}

static uint64_t hedeleg_of(const struct arch_host *host)
{
    return host->has_vector ? HEDELEG & ~BIT(CAUSE_ILLEGAL) : HEDELEG;
}

void cpu_init(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;

    csr_write(sie, 0);
    csr_write(sstatus, SSTATUS_FS_CLEAN);
    vector_cpu_init(p);
    csr_write(hideleg, HIDELEG);
    csr_write(hedeleg, hedeleg_of(host));
    csr_write(hie, 0);
    csr_write(hvip, 0);
    csr_write(hgatp, 0);
    csr_write(htimedelta, 0);
    csr_write(hcounteren, COUNTEREN_TM); /* the other two of Zicntr are emulated (vpmu.c) */
    csr_write(scounteren, 0);
    /*
     * Guests may manage caches, use Svpbmt, Svadu, their own timer. What was cleared for
     * them may still be in a cache only: a plain invalidation would bring back what was there.
     */
    csr_write(CSR_HENVCFG, ENVCFG_CBIE_FLUSH | ENVCFG_CBCFE | ENVCFG_CBZE | ENVCFG_ADUE |
                               ENVCFG_PBMTE | ENVCFG_STCE);
    if (host->has_smstateen) {
        csr_write(CSR_HSTATEEN0, HSTATEEN0);
    }
    if (host->has_ssaia) {
        csr_write(CSR_HVICTL, 0);
    }
    if (host->has_sstc) {
        csr_write(CSR_STIMECMP, UINT64_MAX);
        csr_write(CSR_VSTIMECMP, UINT64_MAX);
    }
}

int arch_cpu_probe(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);

    if (!host->has_h) {
        log_error(hv, "cpu: no hypervisor extension (h) in riscv,isa-extensions of the boot CPU");
        return -XEN_ENODEV;
    }
    if (host->clock.hz == 0) {
        log_error(hv, "cpu: /cpus has no timebase-frequency");
        return -XEN_ENODEV;
    }
    cpu_init(this_pcpu());
    host->henvcfg = csr_read(CSR_HENVCFG);
    host->has_svpbmt = host->henvcfg & ENVCFG_PBMTE;
    host->has_sstc = host->has_sstc && (host->henvcfg & ENVCFG_STCE);
    if ((csr_read(hedeleg) & HEDELEG) != hedeleg_of(host) ||
        (csr_read(hideleg) & HIDELEG) != HIDELEG) {
        log_error(hv, "cpu: hedeleg and hideleg cannot delegate what guests must handle");
        return -XEN_ENODEV;
    }
    stage2_init(hv);
    return 0;
}

void arch_describe(const struct hv *hv, char *buf, size_t size)
{
    static const char *const intc[] = { "no", "PLIC", "APLIC", "IMSIC" };
    const struct arch_host *host = arch_host_const(hv);

    fmt_print(buf, size,
              "riscv64, Sv%u, %u CPUs, %s%s, %u interrupts, SBI %u.%u, timer %u kHz (%s), "
              "%u-bit VMIDs",
              12 + 9 * host->levels, host->nr_cpus, intc[host->intc],
              host->intc == HOST_INTC_NONE ? " interrupt controller" : "", host->nr_irqs,
              host->sbi_version >> 24, host->sbi_version & 0xffffff,
              (uint32_t)(host->clock.hz / 1000), host->has_sstc ? "Sstc" : "SBI", host->vmid_bits);
}

void arch_cpu_relax(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory"); /* pause */
}

void arch_cpu_wait(void) { __asm__ volatile("wfi" ::: "memory"); }

void arch_cpu_halt(void)
{
    csr_write(sie, 0);
    for (;;) {
        arch_cpu_wait();
    }
}

void arch_machine_off(struct hv *hv)
{
    sbi_system_reset(arch_host(hv), false);
    arch_cpu_halt();
}

void arch_machine_reset(struct hv *hv)
{
    sbi_system_reset(arch_host(hv), true);
    arch_cpu_halt();
}

int arch_platform_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);

    sbi_probe(host);
    if (!host->sbi_time && !host->has_sstc) {
        log_error(hv, "timer: neither Sstc nor SBI TIME");
        return -XEN_ENODEV;
    }
    int rc = smp_init(hv, fdt);

    return rc ? rc : irq_init(hv, fdt);
}

int arch_pcpu_init(struct pcpu *p)
{
    int rc = irq_init_pcpu(p);

    csr_set(sie, SIP_STIP);
    return rc;
}

bool arch_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size)
{
    return irq_private_range(hv, i, start, size);
}
