# SPDX-License-Identifier: MIT
obj-y := frame.o mem.o memory.o p2m.o vmid.o guest_copy.o
