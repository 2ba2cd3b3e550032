/* SPDX-License-Identifier: MIT */
/* Watchdogs of domains (core/watchdog.c): the service of core/subsystems.h. */
#ifndef LOAM_WATCHDOG_H
#define LOAM_WATCHDOG_H

struct domain;

int watchdog_close(struct domain *d);
/* After a quiescent point: a timer that was due meanwhile has returned. */
void watchdog_free(struct domain *d);

#endif
