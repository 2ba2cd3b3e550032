# SPDX-License-Identifier: MIT
obj-y := machine.o cpu.o mmu.o stage2.o irq.o vcpu.o vintc.o guest.o console.o ctl.o
