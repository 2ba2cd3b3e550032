/* SPDX-License-Identifier: MIT */
/*
 * Calls to the firmware by ecall (RISC-V SBI 2.0). A call goes to M-mode and leaves
 * sepc and sstatus alone, so that it may be made between a guest's exit and entry.
 */
#include <loam/log.h>
#include <xen/errno.h>

#include "host.h"
#include "sbi.h"

/* SBI 2.0 ch. 3: everything but a0 and a1 is preserved. */
struct sbi_ret sbi_call(uint64_t ext, uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2,
                        uint64_t a3, uint64_t a4)
{
    register uint64_t r0 __asm__("a0") = a0;
    register uint64_t r1 __asm__("a1") = a1;
    register uint64_t r2 __asm__("a2") = a2;
    register uint64_t r3 __asm__("a3") = a3;
    register uint64_t r4 __asm__("a4") = a4;
    register uint64_t r6 __asm__("a6") = fn;
    register uint64_t r7 __asm__("a7") = ext;

    __asm__ volatile("ecall"
                     : "+r"(r0), "+r"(r1)
                     : "r"(r2), "r"(r3), "r"(r4), "r"(r6), "r"(r7)
                     : "memory");
    return (struct sbi_ret){ .error = (int64_t)r0, .value = r1 };
}

static bool has_extension(uint64_t ext)
{
    struct sbi_ret r = sbi_call(SBI_EXT_BASE, SBI_BASE_PROBE, ext, 0, 0, 0, 0);

    return r.error == SBI_SUCCESS && r.value != 0;
}

void sbi_probe(struct arch_host *host)
{
    struct sbi_ret r = sbi_call(SBI_EXT_BASE, SBI_BASE_SPEC_VERSION, 0, 0, 0, 0, 0);

    if (r.error != SBI_SUCCESS) {
        return; /* SBI 0.1, which has no extensions */
    }
    host->sbi_version = (uint32_t)r.value;
    host->sbi_time = has_extension(SBI_EXT_TIME);
    host->sbi_ipi = has_extension(SBI_EXT_IPI);
    host->sbi_rfence = has_extension(SBI_EXT_RFENCE);
    host->sbi_hsm = has_extension(SBI_EXT_HSM);
    host->sbi_srst = has_extension(SBI_EXT_SRST);
    host->sbi_dbcn = has_extension(SBI_EXT_DBCN);
}

int sbi_hart_start(const struct arch_host *host, uint64_t hartid, uint64_t entry, uint64_t opaque)
{
    if (!host->sbi_hsm) {
        return -XEN_ENODEV;
    }
    switch (sbi_call(SBI_EXT_HSM, SBI_HSM_START, hartid, entry, opaque, 0, 0).error) {
    case SBI_SUCCESS:
        return 0;
    case SBI_ERR_INVALID_PARAM:
        return -XEN_EINVAL;
    default:
        return -XEN_ENODEV;
    }
}

void sbi_send_ipi(uint64_t hartid) { sbi_call(SBI_EXT_IPI, SBI_IPI_SEND, 1, hartid, 0, 0, 0); }

void sbi_set_timer(uint64_t ticks)
{
    sbi_call(SBI_EXT_TIME, SBI_TIME_SET_TIMER, ticks, 0, 0, 0, 0);
}

void sbi_system_reset(const struct arch_host *host, bool reboot)
{
    if (host->sbi_srst) {
        sbi_call(SBI_EXT_SRST, SBI_SRST_RESET, reboot ? SBI_RESET_COLD : SBI_RESET_SHUTDOWN, 0, 0,
                 0, 0);
    }
}

/* `which` is an ASID or a VMID where fn has one. */
static void remote_fence(enum sbi_rfence fn, uint64_t mask, uint64_t hart_base, uint64_t start,
                         uint64_t size, uint64_t which)
{
    struct sbi_ret r = sbi_call(SBI_EXT_RFENCE, fn, mask, hart_base, start, size, which);

    if (unlikely(r.error == SBI_ERR_INVALID_ADDRESS)) {
        /* A guest may have chosen the range: more than it asked for is always right. */
        r = sbi_call(SBI_EXT_RFENCE, fn, mask, hart_base, 0, UINT64_MAX, which);
    }
    if (unlikely(r.error != SBI_SUCCESS)) {
        panic("firmware: remote fence %u on harts %llu + mask %#llx: error %lld", fn,
              (unsigned long long)hart_base, (unsigned long long)mask, (long long)r.error);
    }
}

void sbi_remote_fence_i(uint64_t mask, uint64_t hart_base)
{
    remote_fence(SBI_RFENCE_FENCE_I, mask, hart_base, 0, 0, 0);
}

void sbi_remote_hfence_vvma(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size)
{
    remote_fence(SBI_RFENCE_HFENCE_VVMA, mask, hart_base, start, size, 0);
}

void sbi_remote_hfence_vvma_asid(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size,
                                 uint64_t asid)
{
    remote_fence(SBI_RFENCE_HFENCE_VVMA_ASID, mask, hart_base, start, size, asid);
}

void sbi_remote_hfence_gvma_vmid(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size,
                                 uint64_t vmid)
{
    remote_fence(SBI_RFENCE_HFENCE_GVMA_VMID, mask, hart_base, start, size, vmid);
}
