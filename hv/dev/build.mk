# SPDX-License-Identifier: MIT
obj-y := irq.o console.o pl011.o
