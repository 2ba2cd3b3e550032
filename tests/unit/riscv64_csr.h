/* SPDX-License-Identifier: MIT */
/*
 * riscv64's control and status registers as functions of the test, by the text that an assembler
 * would see: a name, or a number for those that come late. Files of hv/arch/riscv64 are included
 * after this; the first include makes struct vcpu and struct pcpu riscv64's own.
 */
#ifndef RISCV64_CSR_TEST_H
#define RISCV64_CSR_TEST_H

#include "../../hv/arch/riscv64/include/arch/impl/regs.h"

#define fence hw_unused_fence
#include "../../hv/arch/riscv64/csr.h"
#undef fence
#undef csr_read
#undef csr_write
#undef csr_swap
#undef csr_set
#undef csr_clear
#define csr_read(csr) hw_csr_read(CSR_TEXT(csr))
#define csr_write(csr, value) hw_csr_write(CSR_TEXT(csr), value)
#define csr_swap(csr, value) hw_csr_swap(CSR_TEXT(csr), value)
#define csr_set(csr, bits) hw_csr_write(CSR_TEXT(csr), hw_csr_read(CSR_TEXT(csr)) | (bits))
#define csr_clear(csr, bits) \
    hw_csr_write(CSR_TEXT(csr), hw_csr_read(CSR_TEXT(csr)) & ~(uint64_t)(bits))

#include "unit.h"

/* The test's. */
__attribute__((unused)) static uint64_t hw_csr_read(const char *csr);
__attribute__((unused)) static void hw_csr_write(const char *csr, uint64_t value);

/* For tests in which a register is memory: its place, made and 0 at first. */
struct hw_csr {
    const char *name;
    uint64_t value;
};

static inline uint64_t *hw_csr_at(struct hw_csr *file, size_t nr, const char *name)
{
    for (size_t i = 0; i < nr; i++) {
        if (file[i].name == NULL) {
            file[i].name = name;
        }
        if (strcmp(file[i].name, name) == 0) {
            return &file[i].value;
        }
    }
    CHECK(!"room for one more register");
    return &file[0].value;
}

#endif
