# SPDX-License-Identifier: MIT
# Tests that need no emulator: unit, model, fuzz, coverage, planted bugs, and
# the checks of the source itself.

F := out/fake
unit-tests := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
fuzz-targets := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
S ?= 20
sub = $(Q)$(MAKE) --no-print-directory

ifeq ($(ARCH),fake)
T ?= $(unit-tests)
support := $(addprefix $(O)/tests/unit/,unit.o world.o grant_invariants.o memory_invariants.o)
$(O)/tests/%.o: tests/%.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) -Itests/unit -MMD -MP -c -o $@ $<
# A fuzzer learns from what the hypervisor does, not from what looks at it.
unseen := $(addprefix $(O)/tests/unit/,world.o grant_invariants.o memory_invariants.o) \
	$(O)/hv/ipc/evtchn_check.o $(patsubst %.c,$(O)/%.o,$(wildcard hv/arch/fake/*.c))
$(unseen): CFLAGS_HV := $(filter-out -fsanitize=fuzzer-no-link,$(CFLAGS_HV))
ifneq ($(FUZZ),)
# Half the time goes into noting comparisons, of which only those of parsers (lib, boot) tell much.
$(foreach dir,arch core ctl ipc mm sched,$(O)/hv/$(dir)/%.o): \
	CFLAGS_HV += -fno-sanitize-coverage=trace-cmp
endif
# Parts of an architecture that are pure logic, tested on the host.
$(O)/tests/unit/test_arm64_%.o: CFLAGS_HV += -idirafter hv/arch/arm64/include
$(O)/tests/unit/test_riscv64_%.o: CFLAGS_HV += -idirafter hv/arch/riscv64/include
# These have riscv64's own struct vcpu: nothing that knows the fake one may be linked.
$(addprefix $(O)/tests/unit/test_riscv64_,sbi vector vpmu exit trap lines stage2 mmu vtimer): $(O)/tests/unit/test_%: \
		$(O)/tests/unit/test_%.o $(addprefix $(O)/,tests/unit/unit.o hv/lib/bitmap.o hv/lib/clock.o)
	$(Q)$(HVCC) $(CFLAGS_HV) -o $@ $^
$(O)/tests/unit/test_conform: $(O)/tests/unit/test_conform.o $(conform) $(support) $(O)/libloam.a
	$(Q)$(HVCC) $(CFLAGS_HV) -o $@ $^
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(support) $(O)/libloam.a
	$(Q)$(HVCC) $(CFLAGS_HV) -o $@ $< $(support) $(O)/libloam.a
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(support) $(O)/libloam.a
	$(Q)$(HVCC) $(CFLAGS_HV) -fsanitize=fuzzer -o $@ $< $(filter-out %/unit.o,$(support)) $(O)/libloam.a
-include $(wildcard $(O)/tests/*/*.d)

unit-build: $(addprefix $(O)/tests/unit/test_,$(T))
unit: unit-build
	@tools/runtests $(addprefix $(O)/tests/unit/test_,$(T))
fuzz-build: $(addprefix $(O)/tests/fuzz/fuzz_,$(T))
else
unit:
	$(sub) ARCH=fake O=$(F) unit $(if $(T),T="$(T)")

# Each target for S seconds; the corpus is kept in out/corpus/.
fuzz:
	$(sub) ARCH=fake O=out/fuzz CC=clang-14 FUZZ=1 fuzz-build T="$(or $(T),$(fuzz-targets))"
	@tools/runfuzz $(S) $(or $(T),$(fuzz-targets))

# Line coverage of the neutral code by the unit tests.
cov:
	$(sub) ARCH=fake O=out/cov COVFLAGS=--coverage unit
	@tools/coverage out/cov 85

# What is run before each commit, in about a minute.
quick-%:
	$(sub) ARCH=$* O=out/$* CI=1
	$(sub) ARCH=$* O=out/$*-clang CC=clang-14 CI=1
	$(sub) ARCH=$* O=out/$*-debug DEBUG=1 CI=1
	$(sub) ARCH=$* O=out/$*-selftest SELFTEST=1 CI=1
	@tools/nmcheck $(CROSS_$*)nm out/$*/loam.elf out/$*-debug/loam.elf

quick: quick-arm64 quick-riscv64
	$(sub) ARCH=fake O=$(F) CI=1
	@tools/headercheck arm64 riscv64 fake
	@tools/layercheck
	@tools/stylecheck
	@tools/refusecheck
	$(sub) ARCH=fake O=$(F) CI=1 unit

check: quick cov fuzz

# abi/xen beside the public headers of two releases of Xen, got through apt.
abi:
	@tools/abicheck

# Ten minutes for each fuzz target, and every planted bug must be caught.
check-long: check
	$(sub) fuzz S=600
	@tools/plantbugs
endif

shape:
	@tools/shape

.PHONY: abi unit unit-build fuzz fuzz-build cov quick check check-long shape
.PRECIOUS: $(O)/tests/%.o
