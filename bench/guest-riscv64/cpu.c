/* SPDX-License-Identifier: MIT */
/* Power of vCPUs, by SBI's extension HSM. */
#include "guest.h"

enum { HART_STOPPED = 1 };

uint64_t cpu_start(unsigned int cpu, uint64_t context)
{
    return (uint64_t)sbi(SBI_HSM, SBI_HSM_START, cpu, (uint64_t)secondary_entry, context).error;
}

bool cpu_is_stopped(unsigned int cpu)
{
    return sbi(SBI_HSM, SBI_HSM_STATUS, cpu, 0, 0).value == HART_STOPPED;
}

void cpu_stop(void) { sbi(SBI_HSM, SBI_HSM_STOP, 0, 0, 0); }
