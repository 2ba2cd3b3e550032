/* SPDX-License-Identifier: MIT */
/*
 * isolate.h: the registers of an architecture, to be kept over a switch.
 */

#ifndef ISOLATE_H
#define ISOLATE_H

#include "guest.h"

/* A value of this guest's own for number n. */
u64 mix(u64 n);

/* Fills them, after RAM. */
void registers_write(void);
/* Looks whether they are as they were; false: that is enough. */
bool registers_check(void);
/* check() lines. */
void registers_report(void);

#endif
