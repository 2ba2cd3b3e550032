/* SPDX-License-Identifier: MIT */
/* Calls to the firmware by SMC: PSCI 0.2 and later (Arm DEN 0022). */
#include <loam/fdt.h>
#include <loam/log.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "cpu.h"
#include "host.h"

#define PSCI_VERSION 0x84000000
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009
#define PSCI_CPU_ON_64 0xc4000003

#define PSCI_SUCCESS 0
#define PSCI_ALREADY_ON (-4)
#define PSCI_ON_PENDING (-5)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_INVALID_ADDRESS (-9)

/* Arm DEN 0028: x4-x17 may be changed by the callee of SMCCC 1.0. */
static int64_t smc(uint64_t fn, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = fn;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                       "x15", "x16", "x17", "memory");
    return (int64_t)x0;
}

void psci_init(struct hv *hv, const struct fdt *fdt)
{
    struct fdt_node node = fdt_find(fdt, "/psci");
    const char *method = fdt_string(fdt, node, "method");

    if (!fdt_compatible(fdt, node, "arm,psci-0.2") && !fdt_compatible(fdt, node, "arm,psci-1.0")) {
        log_warn(hv, "psci: no /psci of version 0.2 or later: one CPU, and no power-off");
        return;
    }
    if (method == NULL || strcmp(method, "smc") != 0) {
        log_warn(hv, "psci: /psci method is not \"smc\": one CPU, and no power-off");
        return;
    }
    arch_host(hv)->psci_version = (uint32_t)smc(PSCI_VERSION, 0, 0, 0);
}

int psci_cpu_on(const struct arch_host *host, uint64_t mpidr, uint64_t entry, uint64_t context)
{
    if (host->psci_version == 0) {
        return -XEN_ENODEV;
    }
    switch ((int32_t)smc(PSCI_CPU_ON_64, mpidr, entry, context)) {
    case PSCI_SUCCESS:
        return 0;
    case PSCI_ALREADY_ON:
    case PSCI_ON_PENDING:
        return -XEN_EBUSY;
    case PSCI_INVALID_PARAMETERS:
    case PSCI_INVALID_ADDRESS:
        return -XEN_EINVAL;
    default:
        return -XEN_ENODEV;
    }
}

void psci_system_off(const struct arch_host *host)
{
    if (host->psci_version != 0) {
        smc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
}

void psci_system_reset(const struct arch_host *host)
{
    if (host->psci_version != 0) {
        smc(PSCI_SYSTEM_RESET, 0, 0, 0);
    }
}
