# SPDX-License-Identifier: MIT
obj-y := gnttab.o gnttab_entry.o gnttab_map.o gnttab_copy.o gnttab_op.o
obj-y += evtchn.o evtchn_check.o evtchn_deliver.o evtchn_fifo.o evtchn_poll.o runstate.o vcpu_op.o wallclock.o
obj-y += evtchn_dump.o soft_reset.o
# What runs once, or on a command.
$(addprefix $(O)/hv/ipc/,evtchn_dump.o gnttab_op.o soft_reset.o): CFLAGS_HV += $(flags-small)
