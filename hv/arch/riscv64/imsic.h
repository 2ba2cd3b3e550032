/* SPDX-License-Identifier: MIT */
/*
 * The S-level interrupt files of the machine's harts (RISC-V AIA 1.0 ch. 3; binding
 * riscv,imsics). A file is a page; a store of an identity to it makes that one
 * pending at its hart. Guest files follow it, page by page:
 *
 *   region of a group   | hart 0: S, guest 1, 2 ... | hart 1: S, guest 1 ... |
 *                        <- 4 KiB << guest_bits  ->
 *
 * Identity 1 is the kick, identity n + 1 source n of the APLIC. A hart's enable bits can
 * be written by that hart only; so all identities of all files are enabled for good,
 * and whether an interrupt comes is decided where it is sent (the APLIC's source).
 */
#ifndef RISCV64_IMSIC_H
#define RISCV64_IMSIC_H

#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/types.h>

#define IMSIC_ID_KICK 1
#define IMSIC_ID_OF_IRQ(irq) ((irq) + 1)
#define IMSIC_IRQ_OF_ID(id) ((id)-1)
#define IMSIC_SETEIPNUM_LE 0x0 /* the register in a file's page */
#define IMSIC_NO_HART UINT32_MAX

struct imsic {
    uint32_t nr_ids; /* identities of a file are 1 .. nr_ids */
    uint32_t guest_bits, hart_bits, group_bits, group_shift;
    struct {
        uintptr_t regs; /* its file, 0: none */
        uint32_t hart_index; /* as APLICs number it, IMSIC_NO_HART: none */
    } cpu[HV_PCPUS_MAX]; /* by index in host->cpu[] */
};

/* Fills host->imsic. Errors as irq_init(). */
int __must_check imsic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node);

/* Empties the file of this hart and lets it interrupt. Context: that hart, which has Ssaia. */
void imsic_init_this_cpu(const struct imsic *imsic);

#endif
