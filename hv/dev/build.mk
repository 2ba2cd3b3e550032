# SPDX-License-Identifier: MIT
obj-y := irq.o pci.o console.o console_io.o pl011.o ns16550.o rights.o
