# SPDX-License-Identifier: MIT
obj-y := ctl.o domctl.o
