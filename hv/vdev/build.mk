# SPDX-License-Identifier: MIT
obj-y := vuart.o vpl011.o vns16550.o
