# SPDX-License-Identifier: MIT
# Compilers and flags: the builds differ in prefix, flags and arch directory, in nothing else.

comma := ,
ifeq ($(origin CC),default)
  CC := gcc
endif
CROSS_arm64 := aarch64-linux-gnu-
CROSS_riscv64 := riscv64-linux-gnu-
CROSS_fake :=
CROSS := $(CROSS_$(ARCH))
TARGET_arm64 := --target=aarch64-linux-gnu
TARGET_riscv64 := --target=riscv64-linux-gnu

is-clang := $(findstring clang,$(CC))
HVCC := $(if $(is-clang),$(CC) $(TARGET_$(ARCH)),$(CROSS)$(CC))
AR := $(CROSS)ar
NM := $(CROSS)nm
OBJCOPY := $(CROSS)objcopy

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wimplicit-fallthrough -Wswitch-enum -Wno-unused-parameter
warnings += $(if $(CI)$(WERROR),-Werror)
# SELFTEST=1: the image runs the conformance tests of its architecture instead of guests.
includes := $(if $(SELFTEST),-Itests/conform/include) -Ihv/include -Ihv/arch/include -Ihv/arch/$(ARCH)/include -Iabi -I$(O)/include

flags-common := -std=gnu11 -g -fno-common -fno-strict-aliasing -fwrapv $(warnings) $(includes) \
	-ffile-prefix-map=$(CURDIR)/= $(if $(DEBUG),-DCONFIG_DEBUG=1)
flags-neutral := -Wconversion -Wno-sign-conversion -Wframe-larger-than=1536
flags-free := -ffreestanding -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables

flags-arm64 := $(flags-free) -O2 -mgeneral-regs-only -mcmodel=small -fno-omit-frame-pointer \
	-mno-outline-atomics -mbranch-protection=none -mstrict-align -momit-leaf-frame-pointer \
	$(if $(is-clang),,-fno-tree-loop-distribute-patterns)
# clang 14 does not know the names zicsr and zifencei, nor .option arch; binutils not its debug lines.
# GCC 12 makes an AMO of an atomic store; RISC-V unprivileged ISA, table A.6, needs none.
isa-riscv64 := rv64imac_zicsr_zifencei_zba_zbb_zbs
flags-riscv64 := $(flags-free) -DCONFIG_PLAIN_ATOMIC_STORES -O2 -mabi=lp64 -mcmodel=medany -fno-omit-frame-pointer \
	$(if $(is-clang),-march=rv64imac_zba_zbb_zbs -mno-relax -g0 -fno-integrated-as \
	-Wa$(comma)-march=$(isa-riscv64),-march=$(isa-riscv64))
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags-fake := $(if $(FUZZ),-O2 -fsanitize=fuzzer-no-link,-O1) -DCONFIG_DEBUG=1 $(sanitize) $(COVFLAGS)

CFLAGS_HV := $(flags-common) $(flags-$(ARCH))
# For what runs once or on an operator's command: its build.mk asks for it.
flags-small := $(if $(filter-out fake,$(ARCH)),-Os)
# gcc sees the whole hypervisor at once: small functions of other files are inlined.
flags-lto := $(if $(is-clang)$(DEBUG)$(filter fake,$(ARCH)),,-flto=auto)
