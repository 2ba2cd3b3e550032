/* SPDX-License-Identifier: MIT */
/* Names of what hypercalls are about, for text that people read. */
#ifndef CTL_NAMES_H
#define CTL_NAMES_H

#include <loam/types.h>

/* NULL: no such hypercall; no row for the operation, or the hypercall; no such error (rc < 0). */
const char *hypercall_name(uint64_t number);
const char *hypercall_op_name(uint64_t number, uint64_t op);
const char *error_name(int rc);

#endif
