/* SPDX-License-Identifier: MIT */
/* The table of services that hang off a domain (subsystems.c). */
#ifndef CORE_SUBSYSTEMS_H
#define CORE_SUBSYSTEMS_H

struct domain;

struct subsystem {
    const char *name;
    /* Prepares d, which nobody knows yet. Errors: -XEN_ENOMEM. NULL: made later, on demand. */
    int (*init)(struct domain *d);
    /*
     * Ends what d has with others, in bounded steps: 0 when done, -XEN_EAGAIN to be called again.
     * Nothing to do is no error. d's vCPUs run no more, but other CPUs that hold a
     * reference still come by and must find it closed. NULL: nothing to end.
     */
    int (*close)(struct domain *d);
    /* Gives back its memory, the last reference to d is gone. NULL: close() did. */
    void (*free)(struct domain *d);
};

/* Prepares every service, first to last. Errors: -XEN_ENOMEM, nothing is left then. */
int subsystems_init(struct domain *d);
/* Ends every service, last first; 0 or -XEN_EAGAIN. */
int subsystems_close(struct domain *d);
void subsystems_free(struct domain *d);

#endif
