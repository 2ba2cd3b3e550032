# SPDX-License-Identifier: MIT
# From build.mk files to objects, the library of the neutral core and the image.

dirs := hv/lib hv/core hv/mm hv/sched hv/ipc hv/dev hv/vdev hv/boot hv/ctl hv/arch/$(ARCH)

objs :=
define add-dir
obj-y :=
include $(1)/build.mk
objs += $$(addprefix $(O)/$(1)/,$$(obj-y))
endef
$(foreach d,$(dirs),$(eval $(call add-dir,$(d))))

# The conformance tests of the architecture: in the image, or in a program of the host.
conform := $(patsubst %,$(O)/tests/conform/%.o,conform time memory machine stage2 vcpu guest vintc \
	arch_$(ARCH))
objs += $(if $(SELFTEST),$(conform) $(O)/tests/conform/selftest.o)

tables := $(wildcard abi/tables/*.tbl)
generated := $(addprefix $(O)/include/gen/,trace_events.h hypercalls.h ctl.h errors.h)

$(O)/include/gen/trace_events.h: abi/tables/trace.tbl tools/gen/trace.awk
	@mkdir -p $(@D)
	$(Q)awk -f tools/gen/trace.awk $< > $@
hypercall-tables := $(addprefix abi/tables/,hypercall.tbl evtchn.tbl gnttab.tbl memory.tbl control.tbl)
$(O)/include/gen/hypercalls.h: tools/gen/hypercall.awk $(hypercall-tables)
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@
$(O)/include/gen/errors.h: tools/gen/errors.awk abi/xen/errno.h
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@
$(O)/include/gen/ctl.h: tools/gen/ctl.awk $(addprefix abi/tables/,layout.tbl domctl.tbl sysctl.tbl platform.tbl)
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@

$(O)/hv/arch/%.o: hv/arch/%.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) $(flags-lto) $(CFLAGS_$(*F)) -MMD -MP -c -o $@ $<
$(O)/hv/arch/%.o: hv/arch/%.S $(generated) $(O)/include/gen/asm-offsets.h
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<
$(O)/tests/conform/%.o: tests/conform/%.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) $(flags-lto) $(flags-neutral) -MMD -MP -c -o $@ $<
$(O)/hv/%.o: hv/%.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) $(flags-lto) $(flags-neutral) $(CFLAGS_$(*F)) -MMD -MP -c -o $@ $<

# Offsets of C structures for assembly: the only header made from C.
$(O)/include/gen/asm-offsets.h: hv/arch/$(ARCH)/asm-offsets.c $(generated)
	@mkdir -p $(@D)
	$(Q)$(HVCC) $(CFLAGS_HV) -MMD -MP -MF $(O)/asm-offsets.d -MT $@ -S -o $(O)/asm-offsets.s $<
	$(Q)sed -n 's/.*@@ \([A-Z0-9_]*\) [$$#]*\(-*[0-9]*\).*/#define \1 \2/p' $(O)/asm-offsets.s > $@

$(O)/libloam.a: $(objs)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

ifeq ($(ARCH),fake)
image: $(O)/libloam.a
else
image: $(O)/loam

link = $(if $(flags-lto),$(HVCC) $(CFLAGS_HV) $(flags-lto) -nostdlib -static -Wl$(comma)$(subst \
	$(space),$(comma),$(ldflags)),$(CROSS)ld $(ldflags))
ldflags := -T $(O)/loam.lds --build-id=sha1 -z noexecstack --no-warn-rwx-segments
space := $() $()

# Linked twice: the second time with the table of its own symbols (for panic).
$(O)/loam.elf: $(objs) hv/arch/$(ARCH)/loam.lds tools/gen/symbols.awk
	$(Q)$(HVCC) $(CFLAGS_HV) -D__ASSEMBLY__ -E -P -x c hv/arch/$(ARCH)/loam.lds -o $(O)/loam.lds
	$(Q)echo | awk -f tools/gen/symbols.awk > $(O)/symbols0.S
	$(Q)$(HVCC) $(CFLAGS_HV) -c -o $(O)/symbols0.o $(O)/symbols0.S
	$(Q)$(link) -o $(O)/loam0.elf $(objs) $(O)/symbols0.o
	$(Q)$(NM) -n $(O)/loam0.elf | awk -f tools/gen/symbols.awk > $(O)/symbols.S
	$(Q)$(HVCC) $(CFLAGS_HV) -c -o $(O)/symbols.o $(O)/symbols.S
	$(Q)$(link) -o $@ $(objs) $(O)/symbols.o

$(O)/loam: $(O)/loam.elf
	$(Q)$(OBJCOPY) -O binary $< $@
	@echo "$@: $$(stat -c %s $@) bytes"
endif

-include $(objs:.o=.d) $(O)/asm-offsets.d

.PHONY: image
