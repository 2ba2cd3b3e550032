/* SPDX-License-Identifier: MIT */
/* Offsets of C structures for entry.S and boot.S; read by make, never linked. */
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#define OFFSET(name, type, member) \
    __asm__ volatile(".ascii \"@@ " #name " %0\"" ::"i"((long)offsetof(type, member)))

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(VCPU_X, struct vcpu, arch.x);
    OFFSET(VCPU_PCPU, struct vcpu, pcpu);
    OFFSET(PCPU_STACK, struct pcpu, arch.stack);
    OFFSET(PCPU_SATP, struct pcpu, arch.satp);
    OFFSET(PCPU_SELF, struct pcpu, arch.self);
    OFFSET(PCPU_CURRENT, struct pcpu, current);
}
