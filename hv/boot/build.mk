# SPDX-License-Identifier: MIT
obj-y := build.o build_memory.o claims.o guest_fdt.o passthrough.o plan.o plan_modules.o \
	plan_pci.o plan_pools.o plan_props.o restart.o
