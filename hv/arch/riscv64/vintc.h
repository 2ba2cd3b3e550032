/* SPDX-License-Identifier: MIT */
/*
 * A domain's interrupt controller, whichever kind it has, as the rest of the
 * port uses it (vintc.c), and what a kind must provide.
 */
#ifndef RISCV64_VINTC_H
#define RISCV64_VINTC_H

#include <loam/types.h>

struct domain;
struct fdt_writer;
struct guest_intc;
struct hv;
struct pcpu;
struct vcpu;
struct vintc;

/*
 * One kind of controller: a PLIC (vintc_plic.c), or an APLIC and interrupt files
 * (vintc_aia.c). Functions that say nothing else are those
 * of the contract <arch/guest.h> and below; NULL: the kind has nothing to do there.
 */
struct vintc_ops {
    void (*destroy)(struct vintc *vi);
    void (*set_level)(struct vintc *vi, uint32_t virq, bool level);
    void (*pulse)(struct vintc *vi, uint32_t virq);
    int (*assign)(struct vintc *vi, uint32_t virq, uint32_t irq, bool edge);
    void (*unassign)(struct vintc *vi, uint32_t virq);
    void (*host_irq)(struct vintc *vi, uint32_t virq);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_fini)(struct vcpu *v);
    void (*guest_fdt)(struct vintc *vi, struct fdt_writer *w, const struct guest_intc *intc);
    uint32_t (*irq_cells)(uint32_t virq, bool edge, uint32_t cells[4]);
    bool ssaia;
};

/* What the kinds have in common: first member of their own. Constant after creation. */
struct vintc {
    const struct vintc_ops *ops;
    struct domain *domain;
    size_t bytes; /* of the whole object */
};

/* Makes d's controller, d->arch.vintc, and its registers. Errors: as arch_vintc_create(). */
int __must_check vintc_plic_create(struct domain *d);
int __must_check vintc_aia_create(struct domain *d);
/* Guests on this machine shall have the second kind: it delivers without exits. */
bool vintc_aia_is_possible(const struct hv *hv);

/*
 * What only the second kind has to do: vintc_load() and the like, below, for a vCPU with an
 * interrupt file, v->arch.vintc.aia. vintc_aia_save() may change vsiselect.
 */
void vintc_aia_load(struct vcpu *v, struct pcpu *p);
void vintc_aia_save(struct vcpu *v, struct pcpu *p);
void vintc_aia_sync(struct vcpu *v, struct pcpu *p);
void vintc_aia_wait(struct vcpu *v);
bool vintc_aia_csr(struct vcpu *v, uint32_t insn);

/* --- For the rest of the port ------------------------------------------------------ */

/* Nothing happens if d has none. Context: no vCPU of d is left. */
void vintc_destroy(struct domain *d);

/* v is not in d->vcpus[] yet. Errors: -XEN_ENOMEM. */
int __must_check vintc_vcpu_init(struct vcpu *v);
/* v is neither loaded nor in d->vcpus[] any more. */
void vintc_vcpu_fini(struct vcpu *v);

/* The controller's part of arch_vcpu_load(), before hstatus is written, and arch_vcpu_save(). */
void vintc_load(struct vcpu *v, struct pcpu *p);
void vintc_save(struct vcpu *v, struct pcpu *p);

/*
 * v, loaded on p, is about to be entered: arch_vcpu_sync_interrupts(). It may get a guest file,
 * which changes hstatus.VGEIN.
 */
void vintc_sync(struct vcpu *v, struct pcpu *p);
/* hip.VSEIP of v, loaded on this CPU, has become `level`: stopi shall tell the guest. */
void vintc_external(struct vcpu *v, bool level);
/* v, loaded on this CPU, waits and nothing is pending: an interrupt shall wake it. */
void vintc_wait(struct vcpu *v);

/*
 * p's hart can lend guest interrupt files from here on, if it has any. host->imsic is
 * set up, hie is not written as a whole any more. Context: p itself, while it starts.
 */
void vintc_pcpu_init(struct pcpu *p);
/* hip.SGEIP is set: a message came for a vCPU that does not run. Context: p itself. */
void vintc_guest_external(struct pcpu *p);
/* p was kicked: hands over what vCPUs left here. Cheap if nothing. Context: p itself. */
void vintc_poll(struct pcpu *p);

/*
 * v, current, executed `insn`, which raised a virtual-instruction exception: true if it
 * accessed a register of its interrupt file, done and stepped over.
 */
bool vintc_csr(struct vcpu *v, uint32_t insn);

/* Guests of d are to be told of Ssaia: they have interrupt files. */
bool vintc_has_ssaia(const struct domain *d);

/* Nodes of d's controller in the root of its tree. */
void vintc_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc);
/* arch_guest_irq_cells() for d's kind. */
uint32_t vintc_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4]);

#endif
