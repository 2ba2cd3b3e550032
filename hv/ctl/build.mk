# SPDX-License-Identifier: MIT
obj-y := absent.o cpu_bitmap.o ctl.o
obj-y += domctl.o domctl_create.o domctl_device.o domctl_info.o domctl_mem.o domctl_sched.o domctl_vcpu.o
obj-y += hvm_op.o platform_op.o sysctl.o sysctl_console.o sysctl_perfc.o sysctl_pool.o xsm_op.o
obj-y += debug_keys.o hypfs.o names.o refusal_text.o
$(O)/hv/ctl/%.o: CFLAGS_HV += $(flags-small)
