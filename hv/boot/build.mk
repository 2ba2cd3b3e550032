# SPDX-License-Identifier: MIT
obj-y := build.o build_memory.o claims.o dom0.o dom0_devices.o dom0_fdt.o dom0_options.o \
	guest_fdt.o passthrough.o plan.o plan_modules.o plan_pci.o plan_pools.o plan_props.o \
	ranges.o restart.o
$(O)/hv/boot/%.o: CFLAGS_HV += $(flags-small)
