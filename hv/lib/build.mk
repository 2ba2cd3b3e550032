# SPDX-License-Identifier: MIT
obj-y += string.o printf.o bitmap.o heap.o fdt.o fdt_addr.o fdt_write.o
