# SPDX-License-Identifier: MIT
obj-y := irq.o pci.o console.o console_io.o pl011.o ns16550.o rights.o
# What runs once, or on a command.
$(addprefix $(O)/hv/dev/,pci.o rights.o): CFLAGS_HV += $(flags-small)
