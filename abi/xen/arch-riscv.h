/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack says and reads of riscv64 domains and vCPUs. Xen's public header arch-riscv.h
 * leaves these structures empty; what is in them here is Loam's own.
 */
#ifndef XEN_ARCH_RISCV_H
#define XEN_ARCH_RISCV_H

#include <stdint.h>

struct xen_arch_domainconfig {
    uint32_t pad;
    uint32_t nr_sources; /* shared interrupts */
    uint32_t reserved[2];
};

#define VGCF_online 1u

struct vcpu_guest_context {
    uint32_t flags; /* VGCF_* */
    uint32_t user;  /* 1: in VU-mode, 0: in VS-mode */
    uint64_t pc;
    uint64_t x[32];
    uint64_t satp, sstatus, stvec, sscratch, sepc, scause, stval;
};

#endif
