# SPDX-License-Identifier: MIT
# abi/xen/errno.h -> a list for an X macro: ERROR_NAME(number, "name")
/^#define XEN_E[A-Z0-9]+ [0-9]+$/ { printf "ERROR_NAME(%d, \"%s\")\n", $3, substr($2, 5) }
