/* SPDX-License-Identifier: MIT */
/*
 * The boot log and later messages: lines "loam: ..." on the host console.
 * ERROR is for our own faults, never for a guest's.
 */
#ifndef LOAM_LOG_H
#define LOAM_LOG_H

#include <loam/types.h>

struct hv;

enum log_level {
    LOG_ERROR, /* a fault of the hypervisor or of the machine */
    LOG_WARN,  /* something asked for is not done; the text says what and why */
    LOG_INFO,  /* the checklist of the boot and life events of domains */
};

/* One line, without newline at the end, at most 200 characters. Context: any. Locks: console. */
void log_line(struct hv *hv, enum log_level level, const char *fmt, ...) __printf(3, 4);

#define log_error(hv, ...) log_line(hv, LOG_ERROR, __VA_ARGS__)
#define log_warn(hv, ...) log_line(hv, LOG_WARN, __VA_ARGS__)
#define log_info(hv, ...) log_line(hv, LOG_INFO, __VA_ARGS__)

/*
 * A broken invariant of the hypervisor: prints the reason, registers, symbols,
 * the newest trace records of this CPU, and stops the machine. Never
 * reachable by a guest's doing.
 */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define BUG_ON(cond)                                                                               \
    do {                                                                                           \
        if (unlikely(cond)) {                                                                      \
            panic("%s:%d: %s", __FILE__, __LINE__, #cond);                                         \
        }                                                                                          \
    } while (0)

#endif
