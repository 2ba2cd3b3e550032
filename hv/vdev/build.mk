# SPDX-License-Identifier: MIT
obj-y := vpci.o vuart.o vpl011.o vns16550.o
# What runs once, or on a command.
$(addprefix $(O)/hv/vdev/,vpci.o): CFLAGS_HV += $(flags-small)
