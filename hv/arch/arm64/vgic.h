/* SPDX-License-Identifier: MIT */
/*
 * The virtual GICv3: what vgicv3.c (state), vgic_spi.c (shared interrupts), vgic_mmio.c
 * (registers) and vintc.c (the rest of the hypervisor) are to each other.
 */
#ifndef ARM64_VGIC_H
#define ARM64_VGIC_H

#include <arch/impl/vgic.h>
#include <loam/types.h>

struct domain;
struct pcpu;
struct vcpu;

/* GICD_CTLR (Arm IHI 0069 12.9.4, one security state). */
#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)
#define GICD_CTLR_ARE BIT(4)
#define GICD_CTLR_DS BIT(6)

#define VGIC_SGIS 0xffffu

/* --- vgicv3.c ------------------------------------------------------------ */

void vgic_cpu_reset(struct vgic_cpu *c);

/* Context of all with "owner": c is loaded on this CPU. */

/* Looks at everything: list registers back, wishes applied, list registers filled. Owner. */
void vgic_sync(struct vgic_cpu *c);
/* Delivers what waits; little if nothing does. Owner. */
void vgic_deliver(struct vgic_cpu *c);
/* c gets (gives up) the list registers of this CPU. Owner. */
void vgic_load(struct vgic_cpu *c);
void vgic_save(struct vgic_cpu *c);

/* Makes private INTID `intid` of c pending once. self: the caller's own, loaded, or NULL. */
void vgic_pend_private(struct vgic_cpu *c, uint32_t intid, struct vgic_cpu *self);
/* The host's interrupt behind gic->ppi_hw came and is active. Owner. */
void vgic_ppi_hw(struct vgic_cpu *c);
/* Level of a software PPI. Owner. */
void vgic_ppi_line(struct vgic_cpu *c, uint32_t intid, bool level);
/* ICC_DIR_EL1 of an INTID that is in no list register. Owner. */
void vgic_deactivate(struct vgic_cpu *c, uint32_t intid);
/* True when an interrupt would end WFI. c is loaded here or nowhere. */
bool vgic_has_event(struct vgic_cpu *c);

/* Something of c changed that only its owner can act on. [gic->lock] */
void vgic_changed(struct vgic_cpu *c, struct vgic_cpu *self);
/* Recomputes c->open after enables or groups changed. [gic->lock] */
void vgic_update_open(struct vgic_cpu *c);

/* --- vgic_spi.c ---------------------------------------------------------- */

/* Level of, and a pulse on, shared interrupt `intid`. Any CPU. */
void vgic_spi_line(struct vgic *g, uint32_t intid, bool level, struct vgic_cpu *self);
void vgic_spi_pulse(struct vgic *g, uint32_t intid, struct vgic_cpu *self);

/* SPI i (INTID - 32) changed: offers it to the vCPU that should have it. [gic->lock] */
void vgic_spi_changed(struct vgic *g, uint32_t i, struct vgic_cpu *self);
/* SPI i is not to be pending by a write or a pulse any more. [gic->lock] */
void vgic_spi_unlatch(struct vgic *g, uint32_t i);
/* SPI i is not to be active any more; if in a list register, once that is folded. [gic->lock] */
void vgic_spi_deactivate(struct vgic *g, uint32_t i);

/* --- vgic_mmio.c: registers of the distributor and of all redistributors -- */

#define VGIC_GICD_SIZE 0x10000u
#define VGIC_GICR_STRIDE 0x20000u

/* Aligned accesses of 1, 2, 4, 8 bytes; false: no such width here (the value is 0 / ignored). */
bool vgic_gicd_read(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t *value);
bool vgic_gicd_write(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t value);
bool vgic_gicr_read(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t *value);
bool vgic_gicr_write(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t value);
/* The value that was written to ICC_SGI1R_EL1 (group 1), ICC_SGI0R / ICC_ASGI1R (not 1). */
void vgic_send_sgi(struct vgic_cpu *c, uint64_t sgir, bool group1);

/* --- Provided by vintc.c, by the test on the host -------------------------- */

/* c has something to deliver (or list registers to write back) and is not the caller's own. */
void vgic_notify(struct vgic_cpu *c);
/* The same, and also when c does not run: its owner shall write its list registers back. */
void vgic_publish(struct vgic_cpu *c);
/* Is c loaded on some other CPU than the caller's? */
bool vgic_loaded_elsewhere(const struct vgic_cpu *c);

/* --- vintc.c for irq.c, vcpu.c, sysreg_trap.c ------------------------------- */

/* The guest's virtual timer interrupt came on p and is active. Context: p. */
void vgic_host_vtimer(struct pcpu *p);
/* The maintenance interrupt. Context: p. */
void vgic_maintenance(struct pcpu *p);

/* Virtual CPU interface of p, this CPU: on, with nothing in it, as between two vCPUs. */
void vgic_pcpu_init(struct pcpu *p);

int __must_check vintc_domain_init(struct domain *d);
void vintc_domain_fini(struct domain *d);
void vintc_vcpu_init(struct vcpu *v);

#endif
