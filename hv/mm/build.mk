# SPDX-License-Identifier: MIT
obj-y := frame.o mem.o p2m.o guest_copy.o
