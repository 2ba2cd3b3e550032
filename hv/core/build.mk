# SPDX-License-Identifier: MIT
obj-y := backtrace.o domain.o host_map.o hypercall.o iommu.o job.o lock.o log.o mmio.o multicall.o pcpu.o refusal.o sched_op.o start.o subsystems.o \
	timer.o trace.o vcpu.o vcpu_run.o version.o watchdog.o
# What runs once, or on a command.
$(addprefix $(O)/hv/core/,backtrace.o domain.o host_map.o iommu.o start.o subsystems.o watchdog.o): CFLAGS_HV += $(flags-small)
