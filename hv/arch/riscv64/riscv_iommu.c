/* SPDX-License-Identifier: MIT */
/*
 * The RISC-V IOMMU (RISC-V IOMMU Architecture Specification 1.0; sections are named by
 * their titles). Contract: loam/iommu.h.
 *
 *   device --stream id--> device directory --> device context: iohgatp = the G-stage
 *                                              tables of its domain, no first stage
 *
 * A device without a valid context is refused, and so the directory is empty at first.
 * The GSCID, under which translations are cached, is the domain's id: of all domains that
 * exist it is the only one's, and nothing is cached under it after its devices are detached.
 *
 * Commands are few: each batch ends with IOFENCE.C and is waited for, so that the command
 * queue is empty between batches. An IOMMU that does not answer is switched off, after
 * which nothing passes; if it does not even do that, the machine cannot be trusted
 * with anybody's memory, and stops.
 *
 * Faults come by a wired interrupt. After each one the interrupt rests for a while, so that a
 * device which only makes faults takes little time from the CPU; without a wire the queue is
 * looked at now and then. All is under iommu.lock.
 */
#include <arch/boot.h>
#include <arch/guest.h>
#include <arch/mmu.h>
#include <arch/stage2.h>
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/iommu.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <loam/timer.h>
#include <xen/errno.h>

#include "csr.h"
#include "mmio.h"

/* Register layout. */
#define REG_CAPABILITIES 0
#define CAP_VERSION BITS(7, 4) /* major number */
#define CAP_VERSION_1 0x10
#define CAP_SV39X4 17 /* number of the bit; Sv48x4, Sv57x4 follow */
#define CAP_MSI_FLAT BIT(22)
#define CAP_ATS BIT(25)
#define CAP_IGS_SHIFT 28
#define CAP_IGS_MSI 0 /* interrupts by message only */
#define REG_FCTL 8
#define FCTL_BE BIT(0)
#define FCTL_WSI BIT(1)
#define FCTL_GXL BIT(2)
#define REG_DDTP 16
#define DDTP_OFF 0
#define DDTP_1LVL 2
#define DDTP_MODE BITS(3, 0)
#define DDTP_BUSY BIT(4)
#define REG_CQB 24
#define REG_CQH 32
#define REG_CQT 36
#define REG_FQB 40
#define REG_FQH 48
#define REG_FQT 52
#define REG_CQCSR 72
#define REG_FQCSR 76
#define REG_PQCSR 80
#define QCSR_EN BIT(0)
#define QCSR_IE BIT(1)
#define CQCSR_FAILED BITS(10, 8) /* memory fault, timeout, illegal command */
#define FQCSR_FAULT BIT(8) /* records could not be stored */
#define FQCSR_OVERFLOW BIT(9)
#define QCSR_ON BIT(16)
#define QCSR_BUSY BIT(17)
#define REG_IPSR 84
#define IPSR_FIP BIT(1)
#define REG_ICVEC 760
#define ICVEC_FIV_SHIFT 4
#define REGS_SIZE 0x1000

#define PPN_SHIFT 10 /* in ddtp, queue bases and entries of the directory */
#define ENTRY_V BIT(0)

/* Device context. */
#define TC_V BIT(0)
#define IOHGATP_SV39X4 8 /* Sv48x4, Sv57x4 follow */
#define IOHGATP_MODE_SHIFT 60
#define IOHGATP_GSCID_SHIFT 44

/* Command queue: two words each. */
#define CMD_IOTINVAL_VMA 0x001
#define CMD_IOTINVAL_GVMA 0x081
#define CMD_GV BIT(33)
#define CMD_GSCID_SHIFT 44
#define CMD_IOFENCE_C 0x002
#define CMD_PR BIT(12)
#define CMD_PW BIT(13)
#define CMD_IODIR_INVAL_DDT 0x003 /* DV = 0: of all devices */

/* Fault queue: four words each. */
#define FAULT_CAUSE BITS(11, 0)
#define FAULT_TTYP_SHIFT 34
#define FAULT_TTYP_MASK 0x3f
#define FAULT_DID_SHIFT 40

/* Each queue has one page. */
#define COMMANDS 256
#define FAULTS 128

#define WAIT_TIME (100 * NS_PER_MS) /* for what an IOMMU does at once */
#define REST_TIME (10 * NS_PER_MS) /* of the interrupt after faults */
#define POLL_TIME (100 * NS_PER_MS) /* between looks without an interrupt */

struct riscv_iommu {
    struct iommu iommu; /* first */
    uintptr_t regs;
    uint64_t capabilities;
    uint8_t levels; /* of the device directory */
    bool extended; /* device contexts have 64 bytes, not 32 */
    bool broken; /* [lock] switched off, for good */
    bool has_irq;
    uint64_t *directory; /* [lock] its root */
    uint64_t *commands; /* [lock] */
    uint32_t command_tail;
    uint64_t *faults; /* [lock] */
    struct timer look; /* at the fault queue */
};

static uint32_t read32(const struct riscv_iommu *x, uint32_t reg)
{
    return reg_read32(x->regs + reg);
}

static void write32(const struct riscv_iommu *x, uint32_t reg, uint64_t value)
{
    reg_write32(x->regs + reg, (uint32_t)value);
}

static uint64_t ppn_of(const void *page) { return arch_frame_of(page).n << PPN_SHIFT; }

/* Waits until the bits of a register are `want`; also of the lower half of a long one. */
static bool wait_for(const struct riscv_iommu *x, uint32_t reg, uint64_t bits, uint64_t want)
{
    ns_t end = arch_time_now() + WAIT_TIME;

    while ((read32(x, reg) & bits) != want) {
        if (arch_time_now() > end) {
            return (read32(x, reg) & bits) == want; /* the time may have been somebody else's */
        }
    }
    return true;
}

static bool set_ddtp(const struct riscv_iommu *x, uint64_t value)
{
    if (!wait_for(x, REG_DDTP, DDTP_BUSY, 0)) {
        return false;
    }
    fence(); /* tables before the pointer to them */
    reg_write64(x->regs + REG_DDTP, value);
    return wait_for(x, REG_DDTP, DDTP_BUSY, 0);
}

static bool set_queue(const struct riscv_iommu *x, uint32_t csr, uint64_t value)
{
    uint64_t on = value & QCSR_EN ? QCSR_ON : 0;

    if (!wait_for(x, csr, QCSR_BUSY, 0)) {
        return false;
    }
    write32(x, csr, value);
    return wait_for(x, csr, QCSR_BUSY | QCSR_ON, on);
}

/* --- Commands ---------------------------------------------------------------- */

static void give_up_locked(struct riscv_iommu *x)
{
    log_error(x->iommu.hv,
              "iommu: %s: no answer (command queue %#x): switched off, its devices "
              "reach nothing",
              x->iommu.name, read32(x, REG_CQCSR));
    x->broken = true;
    if (!set_ddtp(x, ppn_of(x->directory) | DDTP_OFF)) {
        panic("iommu: %s cannot be stopped: its devices may reach all memory", x->iommu.name);
    }
}

static void command_put_locked(struct riscv_iommu *x, uint64_t command)
{
    uint64_t *slot = &x->commands[2 * (size_t)x->command_tail];

    slot[0] = command;
    slot[1] = 0;
    x->command_tail = (x->command_tail + 1) % COMMANDS;
}

/* Has the commands put so far done, and what they order. */
static void commands_run_locked(struct riscv_iommu *x)
{
    ns_t end = arch_time_now() + WAIT_TIME;

    command_put_locked(x, CMD_IOFENCE_C | CMD_PR | CMD_PW);
    fence(); /* what was changed in memory, and the commands, before the IOMMU is told */
    write32(x, REG_CQT, x->command_tail);
    while (read32(x, REG_CQH) != x->command_tail) {
        bool failed = read32(x, REG_CQCSR) & CQCSR_FAILED;

        if (failed || (arch_time_now() > end && read32(x, REG_CQH) != x->command_tail)) {
            give_up_locked(x);
            return;
        }
    }
    fence(); /* what devices wrote is there for who reads it now */
}

/* Guidelines for invalidations, "Changing second-stage page table entry". */
static void riscv_iommu_flush(struct iommu *iommu, struct domain *d)
{
    struct riscv_iommu *x = container_of(iommu, struct riscv_iommu, iommu);

    if (!x->broken) {
        command_put_locked(x, CMD_IOTINVAL_GVMA | CMD_GV | (uint64_t)d->id << CMD_GSCID_SHIFT);
        commands_run_locked(x);
    }
}

/* --- Faults ------------------------------------------------------------------- */

/* Fault record CAUSE field encodings, in words. */
static const char *cause_text(uint64_t cause)
{
    static const struct {
        uint16_t cause;
        const char *text;
    } causes[] = {
        { 1, "no memory is there" },
        { 5, "no memory is there" },
        { 7, "no memory is there" },
        { 20, "not mapped" },
        { 21, "not mapped" },
        { 23, "not mapped, or read-only" },
        { 256, "the IOMMU is off" },
        { 257, "device directory cannot be read" },
        { 258, "the device is no domain's" },
        { 259, "device context misconfigured" },
        { 260, "no such transaction is allowed" },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(causes); i++) {
        if (causes[i].cause == cause) {
            return causes[i].text;
        }
    }
    return "by the specification's other causes";
}

static void fault_tell_locked(struct riscv_iommu *x, const volatile uint64_t *record)
{
    static const uint8_t access[] = { IOMMU_ACCESS, IOMMU_EXECUTE, IOMMU_READ, IOMMU_WRITE };
    uint64_t head = record[0];
    uint64_t kind = head >> FAULT_TTYP_SHIFT & FAULT_TTYP_MASK; /* 4 more: the same, translated */

    iommu_fault_locked(&x->iommu, (uint32_t)(head >> FAULT_DID_SHIFT),
                       kind < 8 ? access[kind % 4] : IOMMU_ACCESS, record[2],
                       cause_text(head & FAULT_CAUSE));
}

/* Takes what is in the queue now; at most as much as it holds. */
static void faults_take_locked(struct riscv_iommu *x)
{
    write32(x, REG_IPSR, IPSR_FIP); /* before the look: what comes later interrupts again */
    fence();
    uint32_t head = read32(x, REG_FQH) % FAULTS, tail = read32(x, REG_FQT) % FAULTS;

    fence(); /* records are read after the index */
    for (; head != tail; head = (head + 1) % FAULTS) {
        fault_tell_locked(x, &x->faults[4 * (size_t)head]);
    }
    write32(x, REG_FQH, head);
    uint32_t csr = read32(x, REG_FQCSR);

    if (csr & (FQCSR_OVERFLOW | FQCSR_FAULT)) {
        /* Records were lost, and none came since. */
        log_warn(x->iommu.hv, "iommu: %s: %s", x->iommu.name,
                 csr & FQCSR_FAULT ? "faults cannot be stored"
                                   : "more faults than the queue holds");
        write32(x, REG_FQCSR, csr & (QCSR_EN | QCSR_IE | FQCSR_OVERFLOW | FQCSR_FAULT));
    }
}

/* --- Device directory -------------------------------------------------------- */

/* Bits of a stream id that choose an entry at a level, and how many are below them. */
static uint32_t level_shift(const struct riscv_iommu *x, uint32_t level)
{
    uint32_t leaf = x->extended ? 6 : 7;

    return level == 0 ? 0 : leaf + 9 * (level - 1);
}

/* Streams that a directory of so many levels has. */
static uint64_t streams(const struct riscv_iommu *x)
{
    return BIT(MIN(level_shift(x, x->levels), 24u));
}

/* The device context of a stream; NULL: there is no table for it, or no memory for one. */
static uint64_t *context_find_locked(struct riscv_iommu *x, uint32_t stream, bool create)
{
    uint64_t *table = x->directory;

    for (uint32_t level = x->levels - 1u; level > 0; level--) {
        uint64_t *entry = &table[(stream >> level_shift(x, level)) % 512];

        if (!(*entry & ENTRY_V)) {
            void *page = create ? mem_alloc(x->iommu.hv, PAGE_SIZE) : NULL;

            if (page == NULL) {
                return NULL;
            }
            fence(); /* it is empty before the IOMMU can find it */
            *(volatile uint64_t *)entry = ppn_of(page) | ENTRY_V;
        }
        table = arch_frame_map(mfn(*entry >> PPN_SHIFT));
    }
    uint32_t index = stream & (uint32_t)(BIT(level_shift(x, 1)) - 1);

    return &table[(size_t)index * (x->extended ? 8 : 4)];
}

/* "Changing device directory table entry"; a table may be new, so for all devices. */
static void context_changed_locked(struct riscv_iommu *x, const struct domain *d)
{
    uint64_t gscid = (uint64_t)d->id << CMD_GSCID_SHIFT;

    command_put_locked(x, CMD_IODIR_INVAL_DDT);
    command_put_locked(x, CMD_IOTINVAL_VMA | CMD_GV | gscid);
    command_put_locked(x, CMD_IOTINVAL_GVMA | CMD_GV | gscid);
    commands_run_locked(x);
}

static int riscv_iommu_attach(struct iommu *iommu, uint32_t stream, struct domain *d)
{
    struct riscv_iommu *x = container_of(iommu, struct riscv_iommu, iommu);
    uint32_t mode = d->p2m.format->levels - 3u; /* 0, 1, 2: Sv39x4, Sv48x4, Sv57x4 */

    if (x->broken) {
        return -XEN_EIO;
    }
    if (!(x->capabilities >> (CAP_SV39X4 + mode) & 1)) {
        return -XEN_EOPNOTSUPP;
    }
    if (stream >= streams(x)) {
        return -XEN_ERANGE;
    }
    volatile uint64_t *dc = context_find_locked(x, stream, true);
    if (dc == NULL) {
        return -XEN_ENOMEM;
    }
    /* ta, fsc and, in the extended format, msiptp: all 0, which is none of these. */
    dc[1] = (uint64_t)(IOHGATP_SV39X4 + mode) << IOHGATP_MODE_SHIFT |
            (uint64_t)d->id << IOHGATP_GSCID_SHIFT | d->p2m.root.n;
    fence();
    dc[0] = TC_V;
    context_changed_locked(x, d);
    return x->broken ? -XEN_EIO : 0;
}

static void riscv_iommu_detach(struct iommu *iommu, uint32_t stream, struct domain *d)
{
    struct riscv_iommu *x = container_of(iommu, struct riscv_iommu, iommu);
    volatile uint64_t *dc = context_find_locked(x, stream, false);

    if (dc != NULL) {
        dc[0] = 0;
    }
    if (!x->broken) {
        context_changed_locked(x, d);
        faults_take_locked(x); /* while it is known whose the device was */
    }
}

static const struct iommu_ops riscv_iommu_ops = {
    .attach = riscv_iommu_attach,
    .detach = riscv_iommu_detach,
    .flush = riscv_iommu_flush,
};

/* --- Interrupts -------------------------------------------------------------- */

static void interrupt_enable_locked(struct riscv_iommu *x, bool on)
{
    if (x->has_irq && wait_for(x, REG_FQCSR, QCSR_BUSY, 0)) {
        write32(x, REG_FQCSR, QCSR_EN | (on ? QCSR_IE : 0));
    }
}

/* What came while the interrupt rested did not ask for one: taken after it is on again. */
static void faults_look(struct timer *t, struct pcpu *p)
{
    struct riscv_iommu *x = container_of(t, struct riscv_iommu, look);

    spin_lock(&x->iommu.lock);
    interrupt_enable_locked(x, true);
    faults_take_locked(x);
    spin_unlock(&x->iommu.lock);
    if (!x->has_irq) {
        timer_set(p, t, arch_time_now() + POLL_TIME);
    }
}

/* A wire does not say which IOMMU it is of: all are looked at, the idle ones cost two reads. */
static void faults_interrupt(struct hv *hv, struct pcpu *p)
{
    for (struct iommu *i = hv->iommus; i != NULL; i = i->next) {
        struct riscv_iommu *x = container_of(i, struct riscv_iommu, iommu);

        if (i->ops != &riscv_iommu_ops || !(read32(x, REG_IPSR) & IPSR_FIP)) {
            continue;
        }
        spin_lock(&i->lock);
        interrupt_enable_locked(x, false);
        faults_take_locked(x);
        spin_unlock(&i->lock);
        timer_set(p, &x->look, arch_time_now() + REST_TIME);
    }
}

/* --- Setting up ---------------------------------------------------------------- */

/* Guidelines for initialization, after whatever the firmware did. */
static bool stop(const struct riscv_iommu *x)
{
    uint64_t ddtp = reg_read64(x->regs + REG_DDTP);

    /* The pointer must not change with the mode. */
    return set_ddtp(x, (ddtp & ~DDTP_MODE & ~DDTP_BUSY) | DDTP_OFF) && set_queue(x, REG_CQCSR, 0) &&
           set_queue(x, REG_FQCSR, 0) &&
           (!(x->capabilities & CAP_ATS) || set_queue(x, REG_PQCSR, 0));
}

/* Little endian, guest addresses of 64 bits, interrupts by wire if there are any. */
static const char *set_features(struct riscv_iommu *x)
{
    bool wires = (x->capabilities >> CAP_IGS_SHIFT & 3) != CAP_IGS_MSI;

    write32(x, REG_FCTL, wires ? FCTL_WSI : 0);
    uint32_t fctl = read32(x, REG_FCTL);
    if (fctl & (FCTL_BE | FCTL_GXL)) {
        return "it is big-endian, or for guests of 32 bits";
    }
    x->has_irq = fctl & FCTL_WSI;
    return NULL;
}

static const char *start_queues(struct riscv_iommu *x)
{
    reg_write64(x->regs + REG_CQB, ppn_of(x->commands) | (ilog2(COMMANDS) - 1));
    reg_write64(x->regs + REG_FQB, ppn_of(x->faults) | (ilog2(FAULTS) - 1));
    write32(x, REG_CQT, 0);
    write32(x, REG_FQH, 0);
    fence();
    bool on = set_queue(x, REG_CQCSR, QCSR_EN) && set_queue(x, REG_FQCSR, QCSR_EN);

    return on ? NULL : "its queues do not start";
}

/* As many levels as it has; what was cached of other directories is forgotten. */
static const char *start_directory(struct riscv_iommu *x)
{
    uint64_t root = ppn_of(x->directory);

    for (x->levels = 3; x->levels > 0; x->levels--) {
        uint64_t mode = DDTP_1LVL + x->levels - 1u;

        if (!set_ddtp(x, root | DDTP_OFF) || !set_ddtp(x, root | mode)) {
            return "it is busy for ever";
        }
        if ((reg_read64(x->regs + REG_DDTP) & DDTP_MODE) == mode) {
            command_put_locked(x, CMD_IODIR_INVAL_DDT);
            command_put_locked(x, CMD_IOTINVAL_VMA);
            command_put_locked(x, CMD_IOTINVAL_GVMA);
            commands_run_locked(x);
            return x->broken ? "it does not take commands" : NULL;
        }
    }
    return "it has no device directory";
}

static const char *set_up(struct riscv_iommu *x)
{
    x->capabilities = reg_read64(x->regs + REG_CAPABILITIES);
    if ((x->capabilities & CAP_VERSION) != CAP_VERSION_1) {
        return "its version is not 1";
    }
    if ((x->capabilities >> CAP_SV39X4 & 7) == 0) {
        return "it has no second stage of Sv39x4, Sv48x4 or Sv57x4";
    }
    x->extended = x->capabilities & CAP_MSI_FLAT;
    if (!stop(x)) {
        return "it cannot be stopped";
    }
    const char *why = set_features(x);
    if (why == NULL) {
        why = start_queues(x);
    }
    return why ? why : start_directory(x);
}

/* All causes on one wire, the one the hardware leads faults to. */
static void start_faults(struct riscv_iommu *x, const struct fdt *fdt, struct fdt_node node)
{
    struct hv *hv = x->iommu.hv;
    uint32_t irq = 0;
    bool edge;

    timer_init(&x->look, faults_look);
    if (x->has_irq) {
        reg_write64(x->regs + REG_ICVEC, 0);
        uint32_t vector = (uint32_t)reg_read64(x->regs + REG_ICVEC) >> ICVEC_FIV_SHIFT & 0xf;

        x->has_irq = irq_of_node(hv, fdt, node, vector, &irq, &edge) == 0 &&
                     irq_request(hv, irq, edge ? IRQ_EDGE : IRQ_LEVEL, faults_interrupt) == 0;
    }
    faults_look(&x->look, this_pcpu());
    if (x->has_irq) {
        log_info(hv, "iommu: %s: %u levels of devices, faults by interrupt %u", x->iommu.name,
                 x->levels, irq);
    } else {
        log_info(hv, "iommu: %s: %u levels of devices, faults are looked for", x->iommu.name,
                 x->levels);
    }
}

static void free_pages(struct hv *hv, struct riscv_iommu *x)
{
    mem_free(hv, x->directory, PAGE_SIZE);
    mem_free(hv, x->commands, PAGE_SIZE);
    mem_free(hv, x->faults, PAGE_SIZE);
    mem_free(hv, x, sizeof(*x));
}

static int iommu_open(struct hv *hv, const struct fdt *fdt, struct fdt_node node)
{
    struct riscv_iommu *x = mem_alloc(hv, sizeof(*x));
    uint64_t addr, size;

    if (x == NULL) {
        return -XEN_ENOMEM;
    }
    x->directory = mem_alloc(hv, PAGE_SIZE);
    x->commands = mem_alloc(hv, PAGE_SIZE);
    x->faults = mem_alloc(hv, PAGE_SIZE);
    x->iommu.ops = &riscv_iommu_ops;
    x->iommu.hv = hv;
    x->iommu.phandle = fdt_u32_or(fdt, node, "phandle", 0);
    str_copy(x->iommu.name, sizeof(x->iommu.name), fdt_name(fdt, node));
    if (x->directory == NULL || x->commands == NULL || x->faults == NULL) {
        free_pages(hv, x);
        return -XEN_ENOMEM;
    }
    const char *why = "its reg has no 4 KiB";
    if (fdt_reg_translated(fdt, node, 0, &addr, &size) == 0 && size >= REGS_SIZE) {
        x->iommu.regs_at = hpa(addr);
        x->iommu.regs_size = size;
        x->regs = arch_map_device(hv, hpa(addr), REGS_SIZE);
        why = x->regs != 0 ? set_up(x) : "its registers cannot be mapped";
    }
    if (why != NULL) {
        log_warn(hv, "iommu: %s is not used: %s", x->iommu.name, why);
        return 0; /* its pages are kept: it may have been told of them */
    }
    iommu_register(&x->iommu);
    start_faults(x, fdt, node);
    return 0;
}

int arch_iommu_init(struct hv *hv, const struct fdt *host)
{
    struct fdt_node node;

    for_each_fdt_compatible(host, "riscv,iommu", node)
    {
        int rc = fdt_is_enabled(host, node) ? iommu_open(hv, host, node) : 0;

        if (rc) {
            return rc;
        }
    }
    return 0;
}
