# SPDX-License-Identifier: MIT
obj-y := boot.o start.o mmu.o cpu.o smp.o timer.o gicv3.o irq.o psci_host.o panic.o
obj-y += entry.o exit.o
