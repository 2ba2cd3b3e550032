/* SPDX-License-Identifier: MIT */
/* This CPU, the list of CPUs, timer and the rest of the host side (cpu.c, smp.c, timer.c). */
#ifndef RISCV64_CPU_H
#define RISCV64_CPU_H

#include <loam/fdt.h>
#include <loam/types.h>

struct arch_host;
struct hv;
struct pcpu;

/* Reads what the tree says of the boot CPU into host: extensions, block sizes, timebase. */
void cpu_find(struct arch_host *host, uint64_t hartid);
/* Is this extension in the cpu node's riscv,isa-extensions or, without that, riscv,isa? */
bool cpu_has(const struct fdt *fdt, struct fdt_node cpu, const char *name);
/* Puts every control of HS mode into a defined state. Context: p itself. */
void cpu_init(struct pcpu *p);

/* Makes host->cpu[]. Errors: -XEN_ENODEV the boot CPU is not among them. */
int __must_check smp_init(struct hv *hv, const struct fdt *fdt);

/* This CPU's timer interrupt is pending: quiet until it is set again, PCPU_WORK_TIMER raised. */
void timer_due(struct pcpu *p);

#endif
