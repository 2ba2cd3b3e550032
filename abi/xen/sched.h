/* SPDX-License-Identifier: MIT */
/* Arguments of sched_op (Xen public header sched.h). */
#ifndef XEN_SCHED_H
#define XEN_SCHED_H

#include <stdint.h>

struct sched_shutdown {
    uint32_t reason; /* SHUTDOWN_* */
};

struct sched_poll {
    uint64_t ports; /* of nr_ports evtchn_port_t */
    uint32_t nr_ports;
    uint64_t timeout; /* system time, 0: none */
};

struct sched_remote_shutdown {
    uint16_t domain_id;
    uint32_t reason;
};

struct sched_watchdog {
    uint32_t id;      /* 0: a new one */
    uint32_t timeout; /* in seconds; 0: it ends */
};

#define SHUTDOWN_MAX 5 /* the largest reason */

#endif
