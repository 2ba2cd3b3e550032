# SPDX-License-Identifier: MIT
obj-y += string.o printf.o bitmap.o heap.o clock.o fdt.o fdt_addr.o fdt_map.o fdt_write.o
# The compiler calls memcpy and memset out of nothing: they stay functions of their own.
CFLAGS_string := $(if $(filter-out fake,$(ARCH)),-fno-lto)
$(O)/hv/lib/fdt%.o $(O)/hv/lib/printf.o: CFLAGS_HV += $(flags-small)
