# SPDX-License-Identifier: MIT
obj-y := frame.o mem.o memory.o memory_op.o memory_op_map.o p2m.o p2m_page.o vmid.o guest_copy.o
