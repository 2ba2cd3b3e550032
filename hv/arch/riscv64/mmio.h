/* SPDX-License-Identifier: MIT */
/*
 * Accesses to device registers. They are ordered among themselves for one device
 * (Unpriv. spec A.4.2: an I/O region); against memory and other devices the
 * caller says so with fence().
 */
#ifndef RISCV64_MMIO_H
#define RISCV64_MMIO_H

#include <loam/types.h>

static inline uint32_t reg_read32(uintptr_t a)
{
    uint32_t v;

    __asm__ volatile("lw %0, 0(%1)" : "=r"(v) : "r"(a) : "memory");
    return v;
}

static inline uint64_t reg_read64(uintptr_t a)
{
    uint64_t v;

    __asm__ volatile("ld %0, 0(%1)" : "=r"(v) : "r"(a) : "memory");
    return v;
}

static inline void reg_write64(uintptr_t a, uint64_t v)
{
    __asm__ volatile("sd %z0, 0(%1)" ::"rJ"(v), "r"(a) : "memory");
}

static inline void reg_write32(uintptr_t a, uint32_t v)
{
    __asm__ volatile("sw %z0, 0(%1)" ::"rJ"(v), "r"(a) : "memory");
}

#endif
