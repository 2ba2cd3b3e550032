/* SPDX-License-Identifier: MIT */
/*
 * Calls to the firmware (RISC-V SBI 2.0). Numbers of extensions and functions are
 * here once, for the calls that Loam makes (sbi.c) and those that it answers (vsbi.c).
 */
#ifndef RISCV64_SBI_H
#define RISCV64_SBI_H

#include <loam/types.h>

struct arch_host;

#define SBI_EXT_BASE 0x10
#define SBI_EXT_TIME 0x54494d45
#define SBI_EXT_IPI 0x735049
#define SBI_EXT_RFENCE 0x52464e43
#define SBI_EXT_HSM 0x48534d
#define SBI_EXT_SRST 0x53525354
#define SBI_EXT_PMU 0x504d55
#define SBI_EXT_DBCN 0x4442434e
#define SBI_EXT_SUSP 0x53555350
#define SBI_EXT_STA 0x535441

/* Functions of each extension (SBI 2.0 ch. 4 to 16). */
enum sbi_base {
    SBI_BASE_SPEC_VERSION,
    SBI_BASE_IMPL_ID,
    SBI_BASE_IMPL_VERSION,
    SBI_BASE_PROBE,
    SBI_BASE_MVENDORID,
    SBI_BASE_MARCHID,
    SBI_BASE_MIMPID,
};
enum sbi_time { SBI_TIME_SET_TIMER };
enum sbi_ipi { SBI_IPI_SEND };
enum sbi_rfence {
    SBI_RFENCE_FENCE_I,
    SBI_RFENCE_SFENCE_VMA,
    SBI_RFENCE_SFENCE_VMA_ASID,
    SBI_RFENCE_HFENCE_GVMA_VMID,
    SBI_RFENCE_HFENCE_GVMA,
    SBI_RFENCE_HFENCE_VVMA_ASID,
    SBI_RFENCE_HFENCE_VVMA,
};
enum sbi_hsm { SBI_HSM_START, SBI_HSM_STOP, SBI_HSM_STATUS, SBI_HSM_SUSPEND };
enum sbi_srst { SBI_SRST_RESET };
enum sbi_dbcn { SBI_DBCN_WRITE, SBI_DBCN_READ, SBI_DBCN_WRITE_BYTE };
enum sbi_pmu {
    SBI_PMU_NUM_COUNTERS,
    SBI_PMU_GET_INFO,
    SBI_PMU_CONFIG_MATCHING,
    SBI_PMU_START,
    SBI_PMU_STOP,
    SBI_PMU_FW_READ,
    SBI_PMU_FW_READ_HI,
    SBI_PMU_SNAPSHOT_SET_SHMEM,
};
enum sbi_sta { SBI_STA_SET_SHMEM };

/* reset_type of SRST. */
enum sbi_reset { SBI_RESET_SHUTDOWN, SBI_RESET_COLD, SBI_RESET_WARM };

/* SBI 2.0 ch. 3: error codes. */
#define SBI_SUCCESS 0
#define SBI_ERR_FAILED (-1)
#define SBI_ERR_NOT_SUPPORTED (-2)
#define SBI_ERR_INVALID_PARAM (-3)
#define SBI_ERR_DENIED (-4)
#define SBI_ERR_INVALID_ADDRESS (-5)
#define SBI_ERR_ALREADY_AVAILABLE (-6)
#define SBI_ERR_ALREADY_STARTED (-7)
#define SBI_ERR_ALREADY_STOPPED (-8)
#define SBI_ERR_NO_SHMEM (-9)

struct sbi_ret {
    int64_t error;
    uint64_t value;
};

/* Any call. Preserves what is not in the result. */
struct sbi_ret sbi_call(uint64_t ext, uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2,
                        uint64_t a3, uint64_t a4);

/* Asks which extensions there are; fills host->sbi_*. */
void sbi_probe(struct arch_host *host);
/*
 * Starts a hart at machine address `entry`, MMU off, hartid in a0, opaque in a1.
 * Errors: -XEN_ENODEV no HSM or the firmware refused, -XEN_EINVAL no such hart.
 */
int __must_check sbi_hart_start(const struct arch_host *host, uint64_t hartid, uint64_t entry,
                                uint64_t opaque);
/* Makes SSIP pending on a hart. */
void sbi_send_ipi(uint64_t hartid);
/* This hart's timer by SBI TIME, in ticks; UINT64_MAX: never. */
void sbi_set_timer(uint64_t ticks);
/* Returns when the firmware cannot. */
void sbi_system_reset(const struct arch_host *host, bool reboot);

/*
 * Remote fences, done when they return (SBI 2.0 ch. 8): harts `hart_base + n` for each bit
 * n of mask; start and size both 0 or size UINT64_MAX: everything. hfence_vvma acts on
 * the VMID in this hart's hgatp. Firmware that refuses to fence everything on harts that
 * run Loam is a panic: what a guest lost would stay reachable.
 */
void sbi_remote_fence_i(uint64_t mask, uint64_t hart_base);
void sbi_remote_hfence_vvma(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size);
void sbi_remote_hfence_vvma_asid(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size,
                                 uint64_t asid);
void sbi_remote_hfence_gvma_vmid(uint64_t mask, uint64_t hart_base, uint64_t start, uint64_t size,
                                 uint64_t vmid);

#endif
