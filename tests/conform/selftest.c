/* SPDX-License-Identifier: MIT */
/* The image that tests its architecture and goes: make SELFTEST=1. */
#include <loam/log.h>
#include <loam/selftest.h>
#include <loam/start.h>

#include "conform.h"

static void emit(void *arg, const char *line) { log_info(arg, "%s", line); }

void selftest_run(struct hv *hv)
{
    struct conform c = { .hv = hv, .emit = emit, .arg = hv };

    conform_run(&c);
    hv_power_off(hv);
}
