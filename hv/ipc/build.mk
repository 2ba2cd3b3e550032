# SPDX-License-Identifier: MIT
obj-y += gnttab.o gnttab_entry.o gnttab_map.o gnttab_copy.o gnttab_op.o
