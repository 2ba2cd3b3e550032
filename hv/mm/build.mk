# SPDX-License-Identifier: MIT
obj-y := frame.o mem.o p2m.o vmid.o guest_copy.o
