/* SPDX-License-Identifier: MIT */
/* Arguments of sched_op (Xen public header sched.h). */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include <stdint.h>

struct sched_shutdown {
    uint32_t reason; /* SHUTDOWN_* */
};

#define SHUTDOWN_MAX 5 /* the largest reason */

#endif
