# SPDX-License-Identifier: MIT
obj-y += sched.o cpupool.o cpupool_op.o queue.o credit2.o cap.o rtds.o null.o
