/* SPDX-License-Identifier: MIT */
/*
 * Contract: the guest state of a vCPU and of a domain.
 *
 * An architecture calls vcpu_exit() for every exit and goes back, or stores
 * the rest of the registers and enters what vcpu_next() returns (loam/vcpu.h).
 * <arch/impl/regs.h> defines struct arch_vcpu, arch_domain and arch_pcpu.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <loam/types.h>

struct domain;
struct fdt_writer;
struct mmio_access;
struct pcpu;
struct vcpu;
struct vm_exit;

/* Errors: -XEN_ENOMEM, -XEN_EOPNOTSUPP the config asks for what this machine has not. */
int __must_check arch_domain_init(struct domain *d);
void arch_domain_fini(struct domain *d);
int __must_check arch_vcpu_init(struct vcpu *v);
void arch_vcpu_fini(struct vcpu *v);

/*
 * Registers as the boot protocol wants them: the next entry starts at
 * guest-physical `entry`, MMU off, with `arg` as first argument (device tree
 * address for vCPU 0, the caller's context for others). All else as after reset.
 */
void arch_vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t arg);

/* Puts v's state into the hardware of this CPU / takes it back into memory. */
void arch_vcpu_load(struct vcpu *v, struct pcpu *p);
void arch_vcpu_save(struct vcpu *v, struct pcpu *p);

/*
 * p is about to enter v, which is loaded: deliver what waits. Called only
 * when PCPU_WORK_VINTC was raised or v was just loaded or picked.
 */
void arch_vcpu_sync_interrupts(struct vcpu *v);

/* An interrupt that would end an idle instruction is pending for v. v is current or not loaded. */
bool arch_vcpu_has_event(struct vcpu *v);

/* VM_EXIT_FIRMWARE and VM_EXIT_ARCH; return enum vm_resume. */
int arch_exit_firmware(struct vcpu *v, struct vm_exit *x);
int arch_exit_handle(struct vcpu *v, struct vm_exit *x);

/* v, current, executed an idle instruction: step over it. The same for one that faulted in MMIO. */
void arch_vcpu_skip(struct vcpu *v, const struct vm_exit *x);
/* Completes a read: value, zero- or sign-extended as the instruction says, goes to its register. */
void arch_mmio_complete(struct vcpu *v, const struct mmio_access *a);

/* Injects the architecture's fault for a data access to nothing / for an undefined instruction. */
void arch_inject_access_fault(struct vcpu *v, const struct vm_exit *x);
void arch_inject_undefined(struct vcpu *v);

/*
 * The Xen hypercall convention, inline in <arch/impl/regs.h> because it is
 * the hottest path; valid while v is current:
 *   uint64_t arch_hc_number(const struct arch_vcpu *a);
 *   uint64_t *arch_hc_args(struct arch_vcpu *a);   arguments 0..4, in order
 *   void arch_hc_set_result(struct arch_vcpu *a, uint64_t value);
 */

/* v, current, executes its hypercall once more when it is entered next. */
void arch_hc_repeat(struct vcpu *v);

/* The capabilities string of xen_version, and the architecture's XENFEAT bits. */
const char *arch_capabilities(void);
uint32_t arch_features(void);

/*
 * Translates a hypercall's address for the vCPU loaded on this CPU.
 * Locks: p2m.lock is held: the map does not change under the translation.
 * Errors: -XEN_EFAULT the guest itself could not access it that way.
 */
int __must_check arch_guest_translate(struct vcpu *v, uint64_t addr, bool write, gpa_t *out);
/*
 * The same, down to the machine: where this CPU finds the byte, from frame_map_local(). What
 * follows up to the end of its page is there too. NULL: the guest itself could not access it,
 * or it is no memory.
 */
void *arch_guest_reach(struct vcpu *v, uint64_t addr, bool write);

/* One line per group of registers of v (not running) for crash messages. */
void arch_vcpu_dump(struct vcpu *v, void (*emit)(void *arg, const char *line), void *arg);

#endif
