# SPDX-License-Identifier: MIT
# The host's side, then the guests'.
obj-y := boot.o start.o early.o mmu.o cpu.o smp.o timer.o gicv3.o irq.o psci_host.o panic.o
obj-y += entry.o exit.o
obj-y += vcpu.o switch.o stage2.o guest.o psci.o vintc.o vgicv3.o vgic_spi.o vgic_mmio.o vtimer.o \
	trap.o decode.o inject.o sysreg_trap.o idreg.o set_way.o hvcall.o ctl.o

# Where a PL011 is when the device tree cannot be read: QEMU's virt board. 0: nobody knows.
EARLY_PL011 ?= 0x09000000
CFLAGS_early := -DEARLY_PL011=$(EARLY_PL011)
# What runs once, or on a command.
$(addprefix $(O)/hv/arch/arm64/,start.o early.o cpu.o smp.o psci_host.o guest.o ctl.o): CFLAGS_HV += $(flags-small)
