# SPDX-License-Identifier: MIT
obj-y := vpci.o vuart.o vpl011.o vns16550.o
