/* SPDX-License-Identifier: MIT */
/* Arguments of vcpu_op (Xen public header vcpu.h). */
#ifndef XEN_VCPU_H
#define XEN_VCPU_H

#include <stdint.h>

#define VCPUOP_is_up 3
#define VCPUOP_get_runstate_info 4
#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_register_vcpu_info 10

#define RUNSTATE_running 0
#define RUNSTATE_runnable 1
#define RUNSTATE_blocked 2
#define RUNSTATE_offline 3

/* In state_entry_time while the rest changes, if VMASST_TYPE_runstate_update_flag is on. */
#define XEN_RUNSTATE_UPDATE (UINT64_C(1) << 63)

struct vcpu_runstate_info {
    int32_t state;
    uint64_t state_entry_time; /* system time */
    uint64_t time[4];          /* ns in each RUNSTATE_* */
};

struct vcpu_register_runstate_memory_area {
    uint64_t addr; /* virtual, of the calling vCPU */
};

struct vcpu_register_vcpu_info {
    uint64_t mfn;
    uint32_t offset;
    uint32_t rsvd;
};

#endif
