# SPDX-License-Identifier: MIT
# The host's side, then the guests'.
obj-y := boot.o start.o early.o mmu.o cpu.o smp.o timer.o sbi.o irq.o plic.o aplic.o imsic.o riscv_iommu.o panic.o
obj-y += entry.o exit.o
obj-y += vcpu.o switch.o vector.o stage2.o guest.o vsbi.o vfence.o vpmu.o \
	vintc.o vintc_plic.o vplic.o vintc_aia.o vaplic.o vimsic.o gfile.o lines.o vtimer.o \
	trap.o decode.o inject.o hvcall.o ctl.o
