/* SPDX-License-Identifier: MIT */
/* A vCPU's and a CPU's part of the virtual interrupt controllers. */
#ifndef ARCH_IMPL_VINTC_H
#define ARCH_IMPL_VINTC_H

#include <loam/types.h>

struct aia_cpu;
struct gfiles;

struct vintc_cpu {
    struct aia_cpu *aia; /* its interrupt file (vintc_aia.c), NULL: its controller is a PLIC */
    uint64_t select;     /* vsiselect while it is not loaded */
};

struct vintc_pcpu {
    struct gfiles *files; /* guest interrupt files of this hart (gfile.c), NULL: it has none */
};

#endif
