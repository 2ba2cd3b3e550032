/* SPDX-License-Identifier: MIT */
/* In place of hv/include/loam/selftest.h in an image with the conformance tests. */
#ifndef LOAM_SELFTEST_H
#define LOAM_SELFTEST_H

struct hv;

/* Runs the tests and switches the machine off. */
void selftest_run(struct hv *hv);

#endif
