/* SPDX-License-Identifier: MIT */
/*
 * What guest interrupt files ask of the hart, in one place: the unit test has
 * a model of it instead (tests/unit/test_riscv64_gfile.c). Registers of guest
 * file n are reached through vsiselect and vsireg while hstatus.VGEIN is n
 * (AIA 1.0 ch. 2.3).
 */
#ifndef RISCV64_GFILE_HW_H
#define RISCV64_GFILE_HW_H

#include <loam/types.h>

/* What gfile_open() changed and gfile_close() puts back. */
struct gfile_window {
    uint64_t hstatus, select;
};

#if __STDC_HOSTED__

struct gfile_window gfile_open(uint32_t file);
void gfile_close(struct gfile_window w);
uint64_t gfile_reg_read(uint64_t select);
void gfile_reg_write(uint64_t select, uint64_t value);
/* hgeie: files that interrupt this hart; hgeip of those. */
void gfile_irq_on(uint64_t files);
void gfile_irq_off(uint64_t files);
uint64_t gfile_irq_pending(void);

#else

#include "csr.h"

static inline struct gfile_window gfile_open(uint32_t file)
{
    struct gfile_window w = { csr_read(hstatus), csr_read(CSR_VSISELECT) };

    csr_write(hstatus, (w.hstatus & ~(uint64_t)HSTATUS_VGEIN) | file << HSTATUS_VGEIN_SHIFT);
    return w;
}

static inline void gfile_close(struct gfile_window w)
{
    csr_write(CSR_VSISELECT, w.select);
    csr_write(hstatus, w.hstatus);
}

static inline uint64_t gfile_reg_read(uint64_t select)
{
    csr_write(CSR_VSISELECT, select);
    return csr_read(CSR_VSIREG);
}

static inline void gfile_reg_write(uint64_t select, uint64_t value)
{
    csr_write(CSR_VSISELECT, select);
    csr_write(CSR_VSIREG, value);
}

static inline void gfile_irq_on(uint64_t files) { csr_set(CSR_HGEIE, files); }
static inline void gfile_irq_off(uint64_t files) { csr_clear(CSR_HGEIE, files); }
static inline uint64_t gfile_irq_pending(void) { return csr_read(CSR_HGEIP) & csr_read(CSR_HGEIE); }

#endif
#endif
