# SPDX-License-Identifier: MIT
obj-y := ctl.o domctl.o domctl_create.o domctl_info.o domctl_vcpu.o
obj-y += hvm_op.o platform_op.o sysctl.o sysctl_console.o sysctl_pool.o hypfs.o names.o refusal_text.o
