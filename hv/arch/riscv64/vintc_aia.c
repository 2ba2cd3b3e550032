/* SPDX-License-Identifier: MIT */
/*
 * APLIC and interrupt files as a domain's interrupt controller: their registers in
 * the guest's map, their nodes in the guest's tree, and which vCPU has a guest file
 * of the hart when.
 *
 *   0x0d000000                    APLIC
 *   0x28000000 + 0x1000 * vCPU    page of its interrupt file: the guest file of the hart,
 *                                 mapped, while it has one; otherwise stores to it exit
 *
 * A vCPU asks for a file whenever it is loaded and has none. It loses it when it is loaded on
 * another hart, never because another vCPU wants one. Locks: gfile.c and vaplic.c have theirs;
 * the map is changed with none held.
 */
#include <arch/guest.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "gfile.h"
#include "guest.h"
#include "host.h"
#include "imsic.h"
#include "irq.h"
#include "lines.h"
#include "mmio.h"
#include "trap.h"
#include "vaplic.h"
#include "vimsic.h"
#include "vintc.h"

/* Where QEMU's virt board has those of S mode. */
#define GUEST_APLIC_BASE UINT64_C(0x0d000000)
#define GUEST_IMSIC_BASE UINT64_C(0x28000000)
#define PHANDLE_IMSIC (GUEST_PHANDLE_INTC + 1)

#define IRQ_EDGE_RISING 1 /* second cell of an interrupt (binding riscv,aplic) */
#define IRQ_LEVEL_HIGH 4

struct vintc_aia {
    struct vintc common; /* first */
    struct vaplic aplic; /* last: what it needs follows it */
};

struct aia_cpu {
    struct vimsic file; /* first */
    struct vcpu *v;
    bool mapped; /* its guest file's page, into the guest. Changed by who loads v */
};

static inline struct vaplic *aplic_of(struct vintc *vi)
{
    return &container_of(vi, struct vintc_aia, common)->aplic;
}

static inline struct domain *domain_of(struct vaplic *a)
{
    return container_of(a, struct vintc_aia, aplic)->common.domain;
}

static inline struct vcpu *vcpu_of(struct vimsic *f)
{
    return container_of(f, struct aia_cpu, file)->v;
}

/* --- What vaplic.c, vimsic.c and gfile.c ask for ------------------------------------ */

void vaplic_msi(struct vaplic *a, uint32_t hart, uint32_t id)
{
    struct domain *d = domain_of(a);
    struct vcpu *v = hart < d->config.vcpus_max ? d->vcpus[hart] : NULL;

    if (v != NULL) {
        vimsic_raise(&v->arch.vintc.aia->file, id);
    }
}

void vaplic_host_complete(struct vaplic *a, uint32_t irq) { intc_complete(domain_of(a)->hv, irq); }

void vimsic_line(struct vimsic *f, bool level) { vcpu_line_set(vcpu_of(f), HIP_VSEIP, level); }

void gfile_post(struct gfiles *g, uint32_t file, uint32_t id)
{
    fence(); /* what the message is about is seen before it */
    reg_write32(g->page + (uintptr_t)file * VIMSIC_PAGE + IMSIC_SETEIPNUM_LE, id);
    fence(); /* on its way before the lock is given up: hand_over() reads what arrived */
}

void gfile_wake(struct vimsic *f) { vcpu_wake(vcpu_of(f)); }

void gfile_is_back(struct vimsic *f)
{
    struct vcpu *v = vcpu_of(f);

    /* Acquire: v->pcpu is the CPU that it was set to with `running`. Partner: sched_pick(). */
    if (atomic_load_acquire(&v->running)) {
        pcpu_kick(v->pcpu, PCPU_WORK_VINTC);
    }
}

/* --- The guest files of a CPU --------------------------------------------------------- */

void vintc_pcpu_init(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;

    if (p->arch.imsic == 0 || host->imsic->guest_bits == 0 || host->imsic->nr_ids < VIMSIC_IDS) {
        return;
    }
    /* As many as there are bits in hgeie (AIA 2.1) and pages behind the hart's own. */
    csr_write(CSR_HGEIE, UINT64_MAX);
    uint64_t files = csr_read(CSR_HGEIE);
    csr_write(CSR_HGEIE, 0);
    if (host->imsic->guest_bits < 6) {
        files &= BIT(1u << host->imsic->guest_bits) - 1;
    }
    struct gfiles *g = files == 0 ? NULL : mem_alloc(p->hv, sizeof(*g));

    if (g != NULL) {
        gfile_init(g, p, files, p->arch.imsic, host->imsic->nr_ids);
        p->arch.vintc.files = g;
        csr_set(hie, HIP_SGEIP);
    }
}

void vintc_guest_external(struct pcpu *p)
{
    if (p->arch.vintc.files != NULL) {
        gfile_wake_all(p->arch.vintc.files);
        gfile_hand_over(p->arch.vintc.files);
    }
}

void vintc_poll(struct pcpu *p)
{
    if (p->arch.vintc.files != NULL) {
        gfile_hand_over(p->arch.vintc.files);
    }
}

bool vintc_aia_is_possible(const struct hv *hv) { return hv->pcpus[0]->arch.vintc.files != NULL; }

/* Machine address of guest file n of g. */
static hpa_t file_address(const struct arch_host *host, const struct gfiles *g, uint32_t n)
{
    for (uint32_t i = 0; i < host->nr_intc_regions; i++) {
        const struct intc_region *r = &host->intc_region[i];

        if (g->page - r->regs < r->size) {
            return hpa(r->addr.a + (g->page - r->regs) + (uint64_t)n * VIMSIC_PAGE);
        }
    }
    return hpa(UINT64_MAX);
}

static gfn_t guest_page(const struct vcpu *v)
{
    return gpa_to_gfn(gpa(GUEST_IMSIC_BASE + (uint64_t)v->id * VIMSIC_PAGE));
}

/* True: v has a guest file of p now. Without its page in the map stores to it exit, that is all. */
static __noinline bool take(struct vcpu *v, struct pcpu *p)
{
    struct aia_cpu *c = v->arch.vintc.aia;
    struct gfiles *g = p->arch.vintc.files;

    if (g == NULL || atomic_load_relaxed(&c->file.left) != NULL ||
        atomic_load_relaxed(&g->free) == 0 || !gfile_take(g, &c->file)) {
        return false;
    }
    hpa_t at = file_address(p->arch.host, g, c->file.file);

    c->mapped = at.a != UINT64_MAX &&
                p2m_map(v->domain, guest_page(v), hpa_to_mfn(at), 1, P2M_MMIO_DIRECT) == 0;
    return true;
}

/* v goes without the file that it has on another CPU. False: it cannot, its domain is done for. */
static bool leave(struct vcpu *v)
{
    struct aia_cpu *c = v->arch.vintc.aia;
    struct gfiles *g = c->file.in;

    if (c->mapped && p2m_unmap(v->domain, guest_page(v), 1) != 0) {
        domain_crash(v->domain, "vCPU %u: its interrupt file cannot be unmapped", v->id);
        return false;
    }
    c->mapped = false;
    gfile_leave(&c->file);
    pcpu_kick(g->pcpu, PCPU_WORK_VINTC);
    return true;
}

/* v has no file of p. */
static __noinline void load_without(struct vcpu *v, struct pcpu *p)
{
    struct vimsic *f = &v->arch.vintc.aia->file;
    uint64_t file = 0;

    if ((f->in == NULL || leave(v)) && take(v, p)) {
        file = f->file;
    }
    v->arch.hstatus = (v->arch.hstatus & ~(uint64_t)HSTATUS_VGEIN) | file << HSTATUS_VGEIN_SHIFT;
}

void vintc_aia_load(struct vcpu *v, struct pcpu *p)
{
    struct vimsic *f = &v->arch.vintc.aia->file;

    if (likely(f->in != NULL && f->in == p->arch.vintc.files)) {
        gfile_disarm(f); /* VGEIN is as it was saved */
    } else {
        load_without(v, p);
    }
}

void vintc_aia_save(struct vcpu *v, struct pcpu *p)
{
    struct vimsic *f = &v->arch.vintc.aia->file;

    if (likely(f->in != NULL && f->in == p->arch.vintc.files)) {
        gfile_save(f);
    }
}

void vintc_aia_sync(struct vcpu *v, struct pcpu *p)
{
    struct vimsic *f = &v->arch.vintc.aia->file;

    if (likely(f->in != NULL)) {
        gfile_hand_over(f->in); /* of this hart: v is loaded */
        return;
    }
    vintc_poll(p);
    if (take(v, p)) {
        csr_set(hstatus, (uint64_t)f->file << HSTATUS_VGEIN_SHIFT);
    }
}

void vintc_aia_wait(struct vcpu *v)
{
    const struct vimsic *f = &v->arch.vintc.aia->file;

    if (f->in != NULL) {
        gfile_arm(f);
    }
}

static int vcpu_init(struct vcpu *v)
{
    struct aia_cpu *c = mem_alloc(v->domain->hv, sizeof(*c));

    if (c == NULL) {
        return -XEN_ENOMEM;
    }
    vimsic_init(&c->file);
    c->v = v;
    v->arch.vintc.aia = c;
    return 0;
}

static void vcpu_fini(struct vcpu *v)
{
    struct aia_cpu *c = v->arch.vintc.aia;

    if (c != NULL) {
        gfile_drop(&c->file);
        v->arch.vintc.aia = NULL;
        mem_free(v->domain->hv, c, sizeof(*c));
    }
}

/* --- Registers ---------------------------------------------------------------------------- */

/* Zicsr (Unpriv. spec 6): csrrw, csrrs, csrrc; with bit 2 the operand is the rs1 field itself. */
static bool decode(const struct vcpu *v, uint32_t insn, struct vimsic_access *a)
{
    uint32_t op = insn >> 12 & 7, rs1 = insn >> 15 & 31;
    uint64_t operand = op & 4 || rs1 == 0 ? rs1 : v->arch.x[rs1];

    if ((insn & 0x7f) != 0x73 || (op & 3) == 0) {
        return false;
    }
    switch (op & 3) {
    case 1:
        *a = (struct vimsic_access){ true, 0, operand };
        break;
    case 2:
        *a = (struct vimsic_access){ rs1 != 0, UINT64_MAX, operand };
        break;
    default:
        *a = (struct vimsic_access){ rs1 != 0, ~operand, 0 };
        break;
    }
    return true;
}

bool vintc_aia_csr(struct vcpu *v, uint32_t insn)
{
    struct vimsic *f = &v->arch.vintc.aia->file;
    uint32_t number = insn >> 20;
    struct vimsic_access a;
    uint64_t old = 0;
    bool done = false;

    if (!decode(v, insn, &a)) {
        return false;
    }
    if (number == CSR_STOPEI) {
        done = vimsic_topei(f, a, &old);
    } else if (number == CSR_SIREG) {
        done = vimsic_ireg(f, csr_read(CSR_VSISELECT), a, &old);
    }
    if (done) {
        trap_csr_done(v, insn, old);
    }
    return done;
}

static enum mmio_result aplic_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t *value)
{
    return vaplic_read(data, offset, size, value) ? MMIO_OK : MMIO_FAULT;
}

static enum mmio_result aplic_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                    uint64_t value)
{
    return vaplic_write(data, offset, size, value) ? MMIO_OK : MMIO_FAULT;
}

static enum mmio_result page_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    return vimsic_page_read(offset % VIMSIC_PAGE, size, value) ? MMIO_OK : MMIO_FAULT;
}

static enum mmio_result page_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    struct vcpu *to = v->domain->vcpus[offset / VIMSIC_PAGE];

    if (to == NULL) {
        return MMIO_FAULT;
    }
    return vimsic_page_write(&to->arch.vintc.aia->file, offset % VIMSIC_PAGE, size, value)
               ? MMIO_OK
               : MMIO_FAULT;
}

static const struct mmio_ops aplic_mmio = { aplic_read, aplic_write };
static const struct mmio_ops page_mmio = { page_read, page_write };

/* --- Lines ---------------------------------------------------------------------------------- */

static void set_level(struct vintc *vi, uint32_t virq, bool level)
{
    vaplic_set_level(aplic_of(vi), virq, level);
}

static void pulse(struct vintc *vi, uint32_t virq) { vaplic_pulse(aplic_of(vi), virq); }

static int assign(struct vintc *vi, uint32_t virq, uint32_t irq, bool edge)
{
    return vaplic_assign(aplic_of(vi), virq, irq, edge);
}

static void unassign(struct vintc *vi, uint32_t virq) { vaplic_unassign(aplic_of(vi), virq); }

static void host_irq(struct vintc *vi, uint32_t virq) { vaplic_host_irq(aplic_of(vi), virq); }

/* --- Device tree ------------------------------------------------------------------------------ */

/* Binding riscv,imsics: entry n of interrupts-extended is hart index n. */
static void write_imsics(const struct domain *d, struct fdt_writer *w)
{
    const uint64_t reg[] = { GUEST_IMSIC_BASE, (uint64_t)d->config.vcpus_max * VIMSIC_PAGE };
    uint32_t parents[2 * DOMAIN_VCPUS_MAX];

    for (uint32_t i = 0; i < d->config.vcpus_max; i++) {
        parents[2 * i] = GUEST_PHANDLE_CPU_INTC + i;
        parents[2 * i + 1] = IRQ_SEI;
    }
    fdt_write_begin_unit(w, "interrupt-controller", GUEST_IMSIC_BASE);
    fdt_write_prop_string(w, "compatible", "riscv,imsics");
    fdt_write_prop_u32(w, "#interrupt-cells", 0);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_u32(w, "#msi-cells", 0);
    fdt_write_prop_empty(w, "msi-controller");
    fdt_write_prop_reg(w, reg, ARRAY_SIZE(reg) / 2);
    fdt_write_prop_cells(w, "interrupts-extended", parents, 2u * d->config.vcpus_max);
    fdt_write_prop_u32(w, "riscv,num-ids", VIMSIC_IDS);
    fdt_write_prop_u32(w, "phandle", PHANDLE_IMSIC);
    fdt_write_end_node(w);
}

static void guest_fdt(struct vintc *vi, struct fdt_writer *w, const struct guest_intc *intc)
{
    const uint64_t reg[] = { GUEST_APLIC_BASE, VAPLIC_SIZE };

    write_imsics(vi->domain, w);
    fdt_write_begin_unit(w, "interrupt-controller", GUEST_APLIC_BASE);
    fdt_write_prop_string(w, "compatible", "riscv,aplic");
    fdt_write_prop_u32(w, "#interrupt-cells", 2);
    fdt_write_prop_u32(w, "#address-cells", intc->address_cells);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_reg(w, reg, ARRAY_SIZE(reg) / 2);
    fdt_write_prop_u32(w, "msi-parent", PHANDLE_IMSIC);
    fdt_write_prop_u32(w, "riscv,num-sources", aplic_of(vi)->nr_sources - 1u);
    fdt_write_prop_u32(w, "phandle", intc->phandle);
    fdt_write_end_node(w);
}

static uint32_t irq_cells(uint32_t virq, bool edge, uint32_t cells[4])
{
    cells[0] = virq;
    cells[1] = edge ? IRQ_EDGE_RISING : IRQ_LEVEL_HIGH;
    return 2;
}

/* --- Creation ------------------------------------------------------------------------------------
 */

static const struct vintc_ops aia_ops = {
    .set_level = set_level,
    .pulse = pulse,
    .assign = assign,
    .unassign = unassign,
    .host_irq = host_irq,
    .vcpu_init = vcpu_init,
    .vcpu_fini = vcpu_fini,
    .guest_fdt = guest_fdt,
    .irq_cells = irq_cells,
    .ssaia = true,
};

int vintc_aia_create(struct domain *d)
{
    uint32_t nr_sources = MAX(d->config.nr_spis, 1u) + 1;

    if (d->config.nr_spis >= VAPLIC_SOURCES_MAX) {
        return -XEN_EINVAL;
    }
    size_t bytes = offsetof(struct vintc_aia, aplic) + vaplic_bytes(nr_sources);
    struct vintc_aia *va = mem_alloc(d->hv, bytes);
    if (va == NULL) {
        return -XEN_ENOMEM;
    }
    va->common = (struct vintc){ .ops = &aia_ops, .domain = d, .bytes = bytes };
    vaplic_init(&va->aplic, nr_sources);
    int rc = mmio_register(d, gpa(GUEST_APLIC_BASE), VAPLIC_SIZE, &aplic_mmio, &va->aplic);
    if (rc == 0) {
        rc = mmio_register(d, gpa(GUEST_IMSIC_BASE), (uint64_t)d->config.vcpus_max * VIMSIC_PAGE,
                           &page_mmio, NULL);
    }
    if (rc != 0) {
        mem_free(d->hv, va, bytes); /* a domain without controller is not started */
        return rc;
    }
    d->arch.vintc = &va->common;
    return 0;
}
