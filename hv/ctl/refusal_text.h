/* SPDX-License-Identifier: MIT */
/* A refused hypercall in words. */
#ifndef CTL_REFUSAL_TEXT_H
#define CTL_REFUSAL_TEXT_H

#include <loam/refusal.h>

#define REFUSAL_TEXT_MAX 256

/* Without a newline; what does not fit is cut off. */
void refusal_text(const struct hv *hv, const struct refusal *r, char line[REFUSAL_TEXT_MAX]);

#endif
