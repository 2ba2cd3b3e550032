/* SPDX-License-Identifier: MIT */
/*
 * Log lines and panic(): both end on the host console (dev/console.c).
 */
#include <stdarg.h>

#include <arch/cpu.h>
#include <arch/time.h>
#include <loam/console.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/trace.h>

#define LINE_MAX 224

void log_line(struct hv *hv, enum log_level level, const char *fmt, ...)
{
    static const char *const tag[] = { [LOG_ERROR] = "error: ", [LOG_WARN] = "warning: ",
                                       [LOG_INFO] = "" };
    char line[LINE_MAX];
    va_list args;
    size_t n = fmt_print(line, sizeof(line), "%s", tag[level]);

    va_start(args, fmt);
    fmt_vprint(line + n, sizeof(line) - n, fmt, args);
    va_end(args);
    console_log(hv, line);
}

static void panic_line(void *arg, const char *line)
{
    struct hv *hv = arg;

    console_log(hv, line);
}

void panic(const char *fmt, ...)
{
    struct pcpu *p = this_pcpu();
    struct hv *hv = p == NULL ? NULL : p->hv;
    char line[LINE_MAX];
    va_list args;

    if (hv == NULL) {
        arch_cpu_halt();
    }
    /* From here on this CPU prints without locks: their holder may be what is broken. */
    console_panic(hv);
    size_t n = fmt_print(line, sizeof(line), "PANIC on CPU %u: ", p->id);
    va_start(args, fmt);
    fmt_vprint(line + n, sizeof(line) - n, fmt, args);
    va_end(args);
    console_log(hv, line);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (hv->pcpus[i] != p) {
            pcpu_kick(hv->pcpus[i], PCPU_WORK_STOP);
        }
    }
    arch_panic_dump(panic_line, hv);
    console_log(hv, "newest trace records of this CPU:");
    trace_dump(&p->trace, 64, panic_line, hv);
    console_log(hv, "the machine is stopped");
    arch_cpu_halt();
}
