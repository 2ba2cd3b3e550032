/* SPDX-License-Identifier: MIT */
/* Fake vCPUs: eight registers, a program counter, and a script in place of a program. */
#include <arch/impl/fake.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "fake.h"

int arch_domain_init(struct domain *d) { return d->config.sve_bits == 0 ? 0 : -XEN_EOPNOTSUPP; }

void arch_domain_fini(struct domain *d) {}
int arch_vcpu_init(struct vcpu *v) { return 0; }

void arch_vcpu_fini(struct vcpu *v)
{
    if (v->loaded_on != NULL) {
        fake_violation("a vCPU goes away while it is loaded");
    }
}

void arch_vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t arg)
{
    memset(v->arch.reg, 0, sizeof(v->arch.reg));
    v->arch.reg[0] = arg;
    v->arch.pc = entry;
    v->arch.boot_arg = arg;
    v->arch.resets++;
}

void arch_vcpu_load(struct vcpu *v, struct pcpu *p)
{
    if (v->arch.loads != v->arch.saves) {
        fake_violation("a vCPU is loaded that is loaded already");
    }
    if (p != fake_machine->cpu) {
        fake_violation("a vCPU is loaded by another CPU");
    }
    v->arch.loads++;
    fake_stage2_load(v->domain, p);
}

void arch_vcpu_save(struct vcpu *v, struct pcpu *p)
{
    if (p->loaded != v || p != fake_machine->cpu || v->arch.loads != v->arch.saves + 1) {
        fake_violation("a vCPU is saved that is not loaded here");
    }
    v->arch.saves++;
}

void arch_vcpu_sync_interrupts(struct vcpu *v)
{
    if (v->pcpu->loaded != v) {
        fake_violation("interrupts are given to a vCPU that is not loaded");
    }
    if (atomic_exchange(&v->arch.pending, 0) != 0) {
        v->arch.delivered++;
    }
}

bool arch_vcpu_has_event(struct vcpu *v)
{
    if (fake_machine->on_event_check != NULL) {
        fake_machine->on_event_check(v);
    }
    return atomic_load_relaxed(&v->arch.pending) != 0;
}

bool fake_guest_ack(struct vcpu *v)
{
    bool any = v->arch.delivered != 0;

    v->arch.delivered = 0;
    return any;
}

int arch_exit_firmware(struct vcpu *v, struct vm_exit *x)
{
    if (fake_machine->on_firmware != NULL) {
        return fake_machine->on_firmware(v, x);
    }
    arch_inject_undefined(v);
    return VM_RESUME;
}

int arch_exit_handle(struct vcpu *v, struct vm_exit *x)
{
    if (fake_machine->on_arch != NULL) {
        return fake_machine->on_arch(v, x);
    }
    arch_inject_undefined(v);
    return VM_RESUME;
}

void arch_vcpu_skip(struct vcpu *v, const struct vm_exit *x) { v->arch.pc += 4; }

void arch_mmio_complete(struct vcpu *v, const struct mmio_access *a)
{
    uint64_t mask = a->size == 8 ? UINT64_MAX : (UINT64_C(1) << (a->size * 8)) - 1;

    v->arch.reg[a->reg % FAKE_REGS] = a->value & mask;
}

void arch_inject_access_fault(struct vcpu *v, const struct vm_exit *x)
{
    v->arch.injected |= FAKE_INJECT_ACCESS;
}

void arch_inject_undefined(struct vcpu *v) { v->arch.injected |= FAKE_INJECT_UNDEFINED; }

void arch_hc_repeat(struct vcpu *v) { v->arch.repeat = true; }

void *arch_guest_reach(struct vcpu *v, uint64_t addr, bool write)
{
    gpa_t a;

    if (arch_guest_translate(v, addr, write, &a) != 0) {
        return NULL;
    }
    return guest_phys_reach(v->domain, a, write);
}

const char *arch_capabilities(void) { return "xen-3.0-fake "; }
uint32_t arch_features(void) { return 0; }

int arch_guest_translate(struct vcpu *v, uint64_t addr, bool write, gpa_t *out)
{
    uint64_t a = addr - v->arch.va_base;

    if (fake_machine->on_translate != NULL) {
        fake_machine->on_translate(v, addr, write);
    }
    if (fake_machine->cpu->loaded != v) {
        fake_violation("an address is translated for a vCPU that is not loaded on this CPU");
    }
    if (a >> fake_machine->format.gpa_bits != 0 || (write && a < v->arch.va_ro)) {
        return -XEN_EFAULT;
    }
    *out = gpa(a);
    return 0;
}

void arch_vcpu_dump(struct vcpu *v, void (*emit)(void *arg, const char *line), void *arg)
{
    char line[80];

    fmt_print(line, sizeof(line), "pc %#llx r0 %#llx r1 %#llx", (unsigned long long)v->arch.pc,
              (unsigned long long)v->arch.reg[0], (unsigned long long)v->arch.reg[1]);
    emit(arg, line);
}
