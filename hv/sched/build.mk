# SPDX-License-Identifier: MIT
obj-y += sched.o cpupool.o cpupool_op.o queue.o credit2.o cap.o rtds.o null.o
# What runs once, or on a command.
$(addprefix $(O)/hv/sched/,cpupool.o cpupool_op.o): CFLAGS_HV += $(flags-small)
