# SPDX-License-Identifier: MIT
obj-y += sched.o cpupool.o credit2.o null.o
