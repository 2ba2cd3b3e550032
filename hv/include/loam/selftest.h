/* SPDX-License-Identifier: MIT */
/*
 * Room for the conformance tests of the architecture. This is an image without
 * them; make SELFTEST=1 has tests/conform/include/loam/selftest.h in its place.
 */
#ifndef LOAM_SELFTEST_H
#define LOAM_SELFTEST_H

struct hv;

/* Context: boot CPU, all others idle, no pools and no domain yet. */
static inline void selftest_run(struct hv *hv) { (void)hv; }

#endif
