# SPDX-License-Identifier: MIT
# Tests that need no emulator: unit, model, fuzz, coverage, and the checks of the source itself.

F := out/fake
unit-tests := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
fuzz-targets := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
T ?= $(unit-tests)
S ?= 20

ifeq ($(ARCH),fake)
support := $(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/unit.c tests/unit/world.c))
$(O)/tests/%.o: tests/%.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) -Itests -MMD -MP -c -o $@ $<
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(support) $(O)/libloam.a
	$(Q)$(HVCC) $(CFLAGS_HV) -o $@ $< $(support) $(O)/libloam.a
-include $(wildcard $(O)/tests/*/*.d)

unit-build: $(addprefix $(O)/tests/unit/test_,$(T))
# One closing line for all programs.
unit: unit-build
	@/usr/bin/env sh tools/runtests $(addprefix $(O)/tests/unit/test_,$(T))
else
unit:
	$(Q)$(MAKE) --no-print-directory ARCH=fake O=$(F) unit T="$(T)"
endif

.PHONY: unit unit-build
.PRECIOUS: $(O)/tests/%.o
