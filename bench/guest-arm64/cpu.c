/* SPDX-License-Identifier: MIT */
/* Power of vCPUs, by PSCI (Arm DEN 0022). */
#include "guest.h"

enum { AFFINITY_INFO_OFF = 1 };

uint64_t cpu_start(unsigned int cpu, uint64_t context)
{
    return (uint64_t)smccc(PSCI_CPU_ON, machine.mpidr[cpu], (uint64_t)secondary_entry, context);
}

bool cpu_is_stopped(unsigned int cpu)
{
    return smccc(PSCI_AFFINITY_INFO, machine.mpidr[cpu], 0, 0) == AFFINITY_INFO_OFF;
}

void cpu_stop(void) { smccc(PSCI_CPU_OFF, 0, 0, 0); }
