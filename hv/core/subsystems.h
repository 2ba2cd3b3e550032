/* SPDX-License-Identifier: MIT */
/* The table of services that hang off a domain (subsystems.c). */
#ifndef CORE_SUBSYSTEMS_H
#define CORE_SUBSYSTEMS_H

struct domain;

struct subsystem {
    const char *name;
    /* Gives back everything of d. Nothing to do is no error; d's vCPUs are gone. */
    void (*fini)(struct domain *d);
};

/* Takes every service of d apart, last first. */
void subsystems_fini(struct domain *d);

#endif
