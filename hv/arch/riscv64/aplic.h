/* SPDX-License-Identifier: MIT */
/*
 * The S-level interrupt domain of the machine's APLIC (RISC-V AIA 1.0 ch. 4; binding
 * riscv,aplic). In direct mode it interrupts harts itself, in MSI mode it writes to
 * their interrupt files (imsic.h): source n there has identity n + 1.
 *
 * An APLIC has no notion of an interrupt in service. From claim to completion the
 * source is disabled instead: a level, which would otherwise interrupt without end in
 * direct mode, waits; an edge is kept in the pending bit. In MSI mode a message that was
 * on its way when the source was disabled may arrive as one more interrupt.
 *
 * A masked source is inactive (sourcecfg 0): all that is written for it is ignored.
 *
 * Locks: masking and unmasking are under the lock of the interrupt table, hold and
 * release under none: each is a store of a source's number.
 */
#ifndef RISCV64_APLIC_H
#define RISCV64_APLIC_H

#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/types.h>

#define APLIC_SOURCES_MAX 1023
#define APLIC_NO_HART UINT32_MAX
/* Hart indices are 14 bits (target registers). */
#define APLIC_HARTS_MAX 16384

/* Bits of aplic.source[]. */
#define APLIC_SOURCE_INVERTED 1 /* active low, falling edge */
#define APLIC_SOURCE_LEVEL 2

struct imsic;

struct aplic {
    uintptr_t regs;
    bool msi;
    uint32_t nr_irqs;
    uint32_t hart_index[HV_PCPUS_MAX]; /* by index in host->cpu[] */
    uint8_t source[]; /* by number: APLIC_SOURCE_*, as last unmasked */
};

/*
 * Fills host->aplic, host->nr_irqs. imsic: where messages go, NULL for direct mode.
 * Errors as irq_init().
 */
int __must_check aplic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                            const struct imsic *imsic);

/*
 * Direct mode: lets CPU `cpu` take interrupts. Returns the address of its claim register,
 * 0: it has none.
 */
uintptr_t aplic_init_cpu(const struct aplic *aplic, uint32_t cpu);

/* Says how a source is wired, before it is unmasked. Context: boot CPU, while booting. */
void aplic_set_inverted(struct aplic *aplic, uint32_t irq, bool inverted);

/* False: the firmware has not delegated this source to S mode. */
bool aplic_unmask(struct aplic *aplic, uint32_t irq, bool edge, uint32_t cpu);
void aplic_mask(struct aplic *aplic, uint32_t irq);

/* After the claim / when it is over: if the line is still active it comes again. */
void aplic_hold(const struct aplic *aplic, uint32_t irq);
void aplic_release(const struct aplic *aplic, uint32_t irq);

#endif
