# SPDX-License-Identifier: MIT
# Loam's build: plain GNU make, one graph. `make help` lists what there is.
#
#   make ARCH=arm64          out/arm64/loam, the bootable image
#   make check               what runs on this machine without an emulator
#
# Each directory of hv/ has a build.mk with obj-y; nothing is found by wildcard.

ARCH ?= arm64
O ?= out/$(ARCH)
V ?=
Q := $(if $(V),,@)

all: image

include make/toolchain.mk
include make/rules.mk
include make/test.mk

help:
	@echo 'make [ARCH=arm64|riscv64|fake]  build (O=DIR, CC=clang-14 for clang, DEBUG=1 for checks of locks)'
	@echo 'make quick              before each commit: all builds, headers, layers, style, unit tests'
	@echo 'make check              quick, model tests, short fuzz runs, coverage'
	@echo 'make check-long         check, long fuzz runs, planted bugs'
	@echo 'make SELFTEST=1 O=DIR   an image that tests its architecture (tests/conform) and goes off'
	@echo 'make unit T=fdt         one unit test'
	@echo 'make fuzz T=fdt S=60    one fuzz target for S seconds, corpus kept'
	@echo 'make cov                line coverage of the neutral code'
	@echo 'make shape              sizes of functions and files beside the anchors'
	@echo 'make clean              remove out/'
	@echo './loam run | test | bench do the rest: guests, emulator, packages'

clean:
	$(Q)rm -rf out

.PHONY: all help clean
