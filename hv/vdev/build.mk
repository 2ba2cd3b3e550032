# SPDX-License-Identifier: MIT
obj-y := vpl011.o
