/* SPDX-License-Identifier: MIT */
/*
 * The driver of the RISC-V IOMMU against a model of its registers, queues and directory,
 * made from the specification. The model is stricter than an emulator: it keeps what it
 * has read of the directory and of translations until a command says to forget it, and
 * checks that commands and contexts have no bit that they must not have.
 */
/* The library has the fake machine's of these. */
#define arch_iommu_init rv_iommu_init
/* Answered below. */
#define log_line test_log_line
#define mem_alloc test_mem_alloc
#define mem_free test_mem_free
#define arch_map_device test_map_device
#define arch_frame_of test_frame_of
#define arch_frame_map test_frame_map
#define arch_time_now test_time_now
#define irq_request test_irq_request
#define timer_init test_timer_init
#define timer_set test_timer_set
#define spin_lock test_spin_lock
#define spin_unlock test_spin_unlock
#define iommu_register test_iommu_register
#define iommu_fault_locked test_iommu_fault
#define panic test_panic
#define RISCV64_MMIO_H

/* First: this file's struct domain is riscv64's, not that of the fake machine. */
#include "../../hv/arch/riscv64/include/arch/impl/regs.h"

#define fence hw_unused_fence
#include "../../hv/arch/riscv64/csr.h"
#undef fence

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <loam/irq.h>

#include "unit.h"

static int test_irq_of_node(const struct hv *hv, const struct fdt *host, struct fdt_node node,
                            uint32_t i, uint32_t *irq, bool *edge);
#define irq_of_node test_irq_of_node

static uint32_t reg_read32(uintptr_t a);
static void reg_write32(uintptr_t a, uint32_t v);
static uint64_t reg_read64(uintptr_t a);
static void reg_write64(uintptr_t a, uint64_t v);
static void fence(void) {}

#include "../../hv/arch/riscv64/riscv_iommu.c"

#include <loam/fdt_write.h>
#include <loam/printf.h>

#define REGS UINT64_C(0x3010000)
#define PAGES 64 /* that the driver may have in use */
#define CAPS_QEMU (CAP_VERSION_1 | UINT64_C(7) << CAP_SV39X4 | CAP_MSI_FLAT | UINT64_C(2) << 28)

/* --- The hardware ------------------------------------------------------------------ */

static struct {
    uint64_t caps, ddtp, cqb, fqb, icvec;
    uint32_t fctl, cqh, cqt, fqh, fqt, cqcsr, fqcsr, ipsr;
    uint32_t modes; /* bit m: ddtp takes mode m */
    uint32_t fctl_writable;
    bool deaf; /* takes no commands */
    bool stuck; /* ddtp stays busy */
    uint32_t fences, gvma;
    uint16_t gvma_of; /* the last GSCID */
    struct cached {
        bool valid;
        uint32_t did;
        uint64_t dc[8];
    } context[4];
    uint64_t translations; /* GSCIDs, below 64, of which something is cached */
} hw;

static struct {
    void *page[PAGES];
    uint32_t nr, fail_at, allocations;
    ns_t now;
    struct iommu *iommu;
    uint32_t irq_cells, irq; /* interrupt of vector n is irq + n, 0: none can be had */
    void (*handler)(struct hv *hv, struct pcpu *p);
    ns_t timer_at;
    struct timer *timer;
    char log[4096];
    char faults[2048];
    jmp_buf stop;
    struct hv hv;
    struct pcpu pcpu;
} mock;

static uint64_t *phys(uint64_t ppn) { return (uint64_t *)(uintptr_t)(ppn << PAGE_SHIFT); }

static uint32_t indices(uint32_t did, uint32_t level)
{
    uint32_t leaf = hw.caps & CAP_MSI_FLAT ? 6 : 7;

    return level == 0 ? did & ((1u << leaf) - 1) : did >> (leaf + 9 * (level - 1)) & 511;
}

/* The context in memory; false: not valid. */
static bool walk(uint32_t did, uint64_t dc[8])
{
    uint32_t levels = (uint32_t)(hw.ddtp & 15) - 1, words = hw.caps & CAP_MSI_FLAT ? 8 : 4;
    uint64_t *table = phys(hw.ddtp >> 10);

    for (uint32_t l = levels - 1; l > 0; l--) {
        uint64_t entry = table[indices(did, l)];

        CHECK_EQ(entry & (BITS(9, 1) | BITS(63, 54)), 0);
        if (!(entry & 1)) {
            return false;
        }
        table = phys(entry >> 10);
    }
    memset(dc, 0, 64);
    memcpy(dc, &table[indices(did, 0) * words], words * 8);
    return dc[0] & 1;
}

/* What a device's access finds: the cached context, or the one in memory, which is then cached. */
static const uint64_t *context_of(uint32_t did)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (hw.context[i].valid && hw.context[i].did == did) {
            return hw.context[i].dc;
        }
    }
    struct cached *c = &hw.context[did % 4];
    c->did = did;
    c->valid = walk(did, c->dc);
    return c->valid ? c->dc : NULL;
}

/* A write by a device; true: it is translated by the map with that root and GSCID. */
static bool device_reaches(uint32_t did, uint64_t root, uint32_t gscid)
{
    const uint64_t *dc = (hw.ddtp & 15) > 1 ? context_of(did) : NULL;

    if (dc == NULL) {
        return false;
    }
    /* Device-context configuration checks; no first stage, no MSI table. */
    CHECK_EQ(dc[0], 1);
    CHECK_EQ(dc[2] | dc[3] | dc[4], 0);
    CHECK(hw.caps >> (17 + (dc[1] >> 60) - 8) & 1);
    hw.translations |= BIT(gscid);
    return (dc[1] & BITS(43, 0)) == root && (dc[1] >> 44 & 0xffff) == gscid;
}

static void command(const uint64_t *c)
{
    switch (c[0] & 0x3ff) {
    case 0x003: /* IODIR.INVAL_DDT */
        CHECK_EQ(c[0] & ~(BITS(9, 0) | BIT(33) | BITS(63, 40)), 0);
        memset(hw.context, 0, sizeof(hw.context));
        break;
    case 0x001: /* IOTINVAL.VMA */
    case 0x081: /* and .GVMA, which has no PSCV */
        CHECK_EQ(c[0] & ~(BITS(9, 0) | BIT(33) | BITS(59, 44)), 0);
        if (c[0] >> 7 & 1) {
            hw.gvma++;
            hw.gvma_of = (uint16_t)(c[0] >> 44);
            hw.translations &= c[0] & BIT(33) ? ~BIT(hw.gvma_of) : 0;
        }
        break;
    case 0x002: /* IOFENCE.C */
        CHECK_EQ(c[0] & ~(BITS(9, 0) | BITS(13, 12)), 0);
        hw.fences++;
        break;
    default:
        CHECK(!"a command of the specification");
    }
    CHECK_EQ(c[1], 0);
}

static void run_commands(void)
{
    while (hw.cqcsr & 1 && !hw.deaf && hw.cqh != hw.cqt) {
        command(phys(hw.cqb >> 10) + 2 * (size_t)hw.cqh);
        hw.cqh = (hw.cqh + 1) & ((2u << (hw.cqb & 31)) - 1);
    }
}

/* A fault record, as the fault queue's section says. */
static void device_faults(uint32_t did, uint32_t cause, uint32_t ttyp, uint64_t addr)
{
    uint32_t mask = (2u << (hw.fqb & 31)) - 1;
    uint64_t *r = phys(hw.fqb >> 10) + 4 * (size_t)hw.fqt;

    if (!(hw.fqcsr & 1) || hw.fqcsr & 0x300) {
        return;
    }
    if (((hw.fqt + 1) & mask) == hw.fqh) {
        hw.fqcsr |= 0x200;
    } else {
        r[0] = cause | (uint64_t)ttyp << 34 | (uint64_t)did << 40;
        r[1] = r[3] = 0;
        r[2] = addr;
        hw.fqt = (hw.fqt + 1) & mask;
    }
    if (hw.fqcsr & 2) {
        hw.ipsr |= 2;
    }
}

static uint64_t queue_csr(uint32_t old, uint32_t v, uint32_t rw1c)
{
    return (old & rw1c & ~v) | (v & 3) | (v & 1) << 16;
}

static void reg_write(uint64_t reg, uint64_t v)
{
    switch (reg) {
    case 8:
        CHECK((hw.ddtp & 15) == 0 && !(hw.cqcsr & 1) && !(hw.fqcsr & 1)); /* else UNSPECIFIED */
        hw.fctl = (hw.fctl & ~hw.fctl_writable) | ((uint32_t)v & hw.fctl_writable);
        break;
    case 16:
        /* From one directory to another only by way of Off. */
        CHECK((v & 15) == 0 || (hw.ddtp & 15) <= 1);
        hw.ddtp = hw.modes >> (v & 15) & 1 ? v : (v & ~UINT64_C(15)) | (hw.ddtp & 15);
        break;
    case 24:
        hw.cqb = v;
        break;
    case 36:
        hw.cqt = (uint32_t)v;
        run_commands();
        break;
    case 40:
        hw.fqb = v;
        break;
    case 48:
        hw.fqh = (uint32_t)v;
        break;
    case 72:
        hw.cqh = !(hw.cqcsr & 1) && v & 1 ? 0 : hw.cqh;
        hw.cqcsr = (uint32_t)queue_csr(hw.cqcsr, (uint32_t)v, 0xf00);
        break;
    case 76:
        hw.fqt = !(hw.fqcsr & 1) && v & 1 ? 0 : hw.fqt;
        hw.fqcsr = (uint32_t)queue_csr(hw.fqcsr, (uint32_t)v, 0x300);
        break;
    case 84:
        hw.ipsr &= (uint32_t)~v;
        break;
    case 760:
        hw.icvec = v & 0x33; /* four vectors */
        break;
    default:
        CHECK(!"a register that is written");
    }
}

static uint64_t reg_read(uint64_t reg)
{
    mock.now += 1000;
    switch (reg) {
    case 0:
        return hw.caps;
    case 8:
        return hw.fctl;
    case 16:
        return hw.ddtp | (hw.stuck ? BIT(4) : 0);
    case 32:
        return hw.cqh;
    case 48:
        return hw.fqh;
    case 52:
        return hw.fqt;
    case 72:
        return hw.cqcsr;
    case 76:
        return hw.fqcsr;
    case 84:
        return hw.ipsr;
    case 760:
        return hw.icvec;
    default:
        CHECK(!"a register that is read");
        return 0;
    }
}

static uint32_t reg_read32(uintptr_t a) { return (uint32_t)reg_read(a - REGS); }
static uint64_t reg_read64(uintptr_t a) { return reg_read(a - REGS); }
static void reg_write32(uintptr_t a, uint32_t v) { reg_write(a - REGS, v); }
static void reg_write64(uintptr_t a, uint64_t v) { reg_write(a - REGS, v); }

/* --- What the driver asks of the rest ------------------------------------------------ */

void test_log_line(struct hv *hv, enum log_level level, const char *fmt, ...)
{
    size_t at = strlen(mock.log);
    va_list args;

    va_start(args, fmt);
    fmt_vprint(mock.log + at, sizeof(mock.log) - at, fmt, args);
    va_end(args);
    strncat(mock.log, "\n", sizeof(mock.log) - strlen(mock.log) - 1);
}

void *test_mem_alloc(struct hv *hv, size_t size)
{
    void *p;

    if (++mock.allocations == mock.fail_at || posix_memalign(&p, size >= 4096 ? 4096 : 16, size)) {
        return NULL;
    }
    mock.page[mock.nr++] = p;
    return memset(p, 0, size);
}

void test_mem_free(struct hv *hv, void *p, size_t size)
{
    for (uint32_t i = 0; i < mock.nr; i++) {
        if (mock.page[i] == p) {
            mock.page[i] = mock.page[--mock.nr];
            free(p);
            return;
        }
    }
    CHECK(p == NULL);
}

uintptr_t test_map_device(struct hv *hv, hpa_t start, uint64_t size) { return start.a; }
mfn_t test_frame_of(const void *va) { return mfn((uintptr_t)va >> PAGE_SHIFT); }
void *test_frame_map(mfn_t m) { return phys(m.n); }
ns_t test_time_now(void) { return mock.now; }

static int test_irq_of_node(const struct hv *hv, const struct fdt *host, struct fdt_node node,
                            uint32_t i, uint32_t *irq, bool *edge)
{
    *irq = mock.irq + i;
    *edge = false;
    return mock.irq ? 0 : -XEN_EINVAL;
}

int test_irq_request(struct hv *hv, uint32_t irq, enum irq_trigger trigger,
                     void (*fn)(struct hv *hv, struct pcpu *p))
{
    mock.handler = fn;
    return 0;
}

void test_timer_init(struct timer *timer, void (*fn)(struct timer *timer, struct pcpu *p))
{
    timer->fn = fn;
}

void test_timer_set(struct pcpu *p, struct timer *timer, ns_t deadline)
{
    mock.timer = timer;
    mock.timer_at = deadline;
}

void test_spin_lock(struct spinlock *l) {}
void test_spin_unlock(struct spinlock *l) {}

void test_iommu_register(struct iommu *x)
{
    mock.iommu = mock.hv.iommus = x;
    CHECK(!device_reaches(8, 0, 0)); /* nothing passes from the first moment */
}

void test_iommu_fault(struct iommu *x, uint32_t stream, enum iommu_access access, uint64_t addr,
                      const char *why)
{
    size_t at = strlen(mock.faults);

    fmt_print(mock.faults + at, sizeof(mock.faults) - at, "%u:%u:%#lx:%s\n", stream, access, addr,
              why);
}

void test_panic(const char *fmt, ...) { longjmp(mock.stop, 1); }

/* --- Tests ------------------------------------------------------------------------------ */

static struct stage2_format formats[3] = { { .levels = 3 }, { .levels = 4 }, { .levels = 5 } };
static struct domain dom;
static uint64_t blob[256];

static void begin(uint64_t caps)
{
    memset(&mock, 0, sizeof(mock));
    memset(&hw, 0, sizeof(hw));
    memset(&dom, 0, sizeof(dom));
    hw.caps = caps;
    hw.modes = 0x1f;
    hw.fctl_writable = FCTL_WSI;
    /* As a firmware may have left it. */
    hw.ddtp = 1;
    hw.icvec = 0x33;
    hw.fctl = FCTL_WSI;
    hw.ipsr = 2;
    hw.cqh = 5;
    mock.now = NS_PER_S;
    mock.irq = 36;
    dom.id = 3;
    dom.p2m.format = &formats[0];
    dom.p2m.root = mfn(0x80404);
}

static int probe(void)
{
    const uint64_t reg[] = { REGS, 0x1000 };
    struct fdt_writer w;
    struct fdt f;

    fdt_write_begin(&w, blob, sizeof(blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    fdt_write_begin_unit(&w, "iommu", REGS);
    fdt_write_prop_string(&w, "compatible", "riscv,iommu");
    fdt_write_prop_u64s(&w, "reg", reg, 2);
    fdt_write_prop_u32(&w, "phandle", 77);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    CHECK(size > 0 && fdt_open(&f, blob, (size_t)size) == 0);
    return arch_iommu_init(&mock.hv, &f);
}

static void end(void)
{
    while (mock.nr != 0) {
        free(mock.page[--mock.nr]);
    }
}

static int attach(uint32_t stream) { return mock.iommu->ops->attach(mock.iommu, stream, &dom); }
static void detach(uint32_t stream) { mock.iommu->ops->detach(mock.iommu, stream, &dom); }

TEST(found_and_blocked)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    REQUIRE(mock.iommu != NULL);
    CHECK(mock.iommu->phandle == 77 && mock.iommu->regs_at.a == REGS);
    CHECK_EQ(hw.ddtp & 15, 4);
    CHECK_EQ(hw.cqcsr & 0x10003, 0x10001);
    CHECK_EQ(hw.fqcsr & 0x10003, 0x10003);
    CHECK(strstr(mock.log, "iommu@3010000: 3 levels of devices, faults by interrupt 36") != NULL);
    CHECK(mock.handler != NULL && mock.timer == NULL);
    CHECK_EQ(hw.ipsr, 0);
    end();
}

TEST(what_is_not_used)
{
    static const struct {
        uint64_t caps;
        uint32_t modes, fctl;
        const char *why;
    } cases[] = {
        { CAPS_QEMU & ~CAP_VERSION, 0x1f, 0, "its version is not 1" },
        { CAPS_QEMU & ~(UINT64_C(7) << 17), 0x1f, 0, "it has no second stage" },
        { CAPS_QEMU, 0x1f, 1, "it is big-endian" },
        { CAPS_QEMU, 0x1f, 4, "or for guests of 32 bits" },
        { CAPS_QEMU, 0x03, 0, "it has no device directory" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(cases[i].caps);
        hw.modes = cases[i].modes;
        hw.fctl = cases[i].fctl;
        CHECK_EQ(probe(), 0);
        CHECK(mock.iommu == NULL && strstr(mock.log, cases[i].why) != NULL);
        end();
    }
    begin(CAPS_QEMU);
    hw.stuck = true;
    CHECK_EQ(probe(), 0);
    CHECK(mock.iommu == NULL && strstr(mock.log, "it cannot be stopped") != NULL);
    end();
    begin(CAPS_QEMU);
    hw.deaf = true;
    CHECK_EQ(probe(), 0);
    CHECK(mock.iommu == NULL && strstr(mock.log, "it does not take commands") != NULL);
    CHECK_EQ(hw.ddtp & 15, 0);
    end();
    for (uint32_t n = 1; n <= 4; n++) {
        begin(CAPS_QEMU);
        mock.fail_at = n;
        CHECK_EQ(probe(), -XEN_ENOMEM);
        CHECK_EQ(mock.nr, 0);
        end();
    }
}

/* Both formats, and as many levels as the hardware has; the widest stream, and one too many. */
TEST(devices_reach_their_domain_only)
{
    for (uint32_t n = 0; n < 6; n++) {
        bool extended = n & 1;
        uint32_t levels = 1 + n / 2, bits = (extended ? 6 : 7) + 9 * (levels - 1);
        uint32_t last = bits >= 24 ? 0xffffff : (1u << bits) - 1;

        begin(extended ? CAPS_QEMU : CAPS_QEMU & ~CAP_MSI_FLAT);
        hw.modes = 3 | 1u << (levels + 1);
        CHECK_EQ(probe(), 0);
        REQUIRE(mock.iommu != NULL);
        CHECK_EQ(attach(8), 0);
        CHECK(device_reaches(8, 0x80404, 3));
        CHECK(!device_reaches(9, 0x80404, 3));
        CHECK_EQ(attach(last), 0);
        CHECK(device_reaches(last, 0x80404, 3));
        CHECK_EQ(attach(last + 1), -XEN_ERANGE);
        detach(8);
        CHECK(!device_reaches(8, 0x80404, 3));
        CHECK(!(hw.translations & BIT(3)));
        CHECK(device_reaches(last, 0x80404, 3));
        /* To another domain: nothing of the first is kept. */
        detach(last);
        dom.id = 4;
        dom.p2m.root = mfn(0x90000);
        CHECK_EQ(attach(8), 0);
        CHECK(device_reaches(8, 0x90000, 4));
        CHECK_EQ(mock.log[strlen(mock.log) - 1], '\n');
        CHECK(strstr(mock.log, "no answer") == NULL);
        end();
    }
}

TEST(formats_of_tables)
{
    begin(CAPS_QEMU & ~BIT(18)); /* no Sv48x4 */
    CHECK_EQ(probe(), 0);
    for (uint32_t i = 0; i < 3; i++) {
        dom.p2m.format = &formats[i];
        CHECK_EQ(attach(i), i == 1 ? -XEN_EOPNOTSUPP : 0);
    }
    CHECK_EQ(context_of(0)[1] >> 60, 8);
    CHECK_EQ(context_of(2)[1] >> 60, 10);
    end();
}

TEST(memory_runs_out)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    for (uint32_t n = 1; n <= 2; n++) {
        mock.allocations = 0;
        mock.fail_at = n;
        CHECK_EQ(attach(8), -XEN_ENOMEM);
        CHECK(!device_reaches(8, 0x80404, 3));
        detach(8); /* harmless */
    }
    mock.fail_at = 0;
    CHECK_EQ(attach(8), 0);
    end();
}

/* The queue goes around many times. */
TEST(flushes)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    CHECK_EQ(attach(8), 0);
    for (uint32_t n = 0; n < 1000; n++) {
        uint32_t fences = hw.fences, gvma = hw.gvma;
        CHECK(device_reaches(8, 0x80404, 3));
        mock.iommu->ops->flush(mock.iommu, &dom);
        CHECK(hw.fences == fences + 1 && hw.gvma == gvma + 1 && hw.gvma_of == 3);
        CHECK(!(hw.translations & BIT(3)));
    }
    end();
}

TEST(one_that_does_not_answer_is_switched_off)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    CHECK_EQ(attach(8), 0);
    hw.deaf = true;
    mock.iommu->ops->flush(mock.iommu, &dom);
    CHECK_EQ(hw.ddtp & 15, 0);
    CHECK(strstr(mock.log, "no answer") != NULL);
    CHECK_EQ(attach(9), -XEN_EIO);
    mock.iommu->ops->flush(mock.iommu, &dom);
    detach(8);
    end();
    /* An error that it reports needs no waiting. */
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    hw.deaf = true;
    hw.cqcsr |= BIT(10);
    ns_t before = mock.now;
    CHECK_EQ(attach(8), -XEN_EIO);
    CHECK(mock.now - before < NS_PER_MS);
    end();
    /* Who cannot even stop it must not go on. */
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    hw.deaf = hw.stuck = true;
    volatile bool stopped = true;
    if (setjmp(mock.stop) == 0) {
        mock.iommu->ops->flush(mock.iommu, &dom);
        stopped = false;
    }
    CHECK(stopped);
    end();
}

TEST(faults)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    device_faults(8, 23, 3, 0x90000000);
    device_faults(9, 258, 2, 0x1000);
    device_faults(10, 1000, 8, 0);
    CHECK_EQ(hw.ipsr, 2);
    mock.handler(&mock.hv, &mock.pcpu);
    CHECK_STR(mock.faults, "8:1:0x90000000:not mapped, or read-only\n"
                           "9:0:0x1000:the device is no domain's\n"
                           "10:3:0:by the specification's other causes\n");
    CHECK_EQ(hw.ipsr, 0);
    CHECK_EQ(hw.fqh, hw.fqt);
    /* The interrupt rests: what comes now waits for the timer, and the next one interrupts again.
     */
    mock.faults[0] = '\0';
    device_faults(8, 21, 2, 0x2000);
    CHECK_EQ(hw.ipsr, 0);
    CHECK_STR(mock.faults, "");
    mock.timer->fn(mock.timer, &mock.pcpu);
    CHECK_STR(mock.faults, "8:0:0x2000:not mapped\n");
    device_faults(8, 21, 2, 0x3000);
    CHECK_EQ(hw.ipsr, 2);
    end();
}

TEST(more_faults_than_the_queue_holds)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    for (uint32_t n = 0; n < 300; n++) {
        device_faults(8, 23, 3, n);
    }
    CHECK(hw.fqcsr & 0x200);
    mock.handler(&mock.hv, &mock.pcpu);
    CHECK(strstr(mock.log, "more faults than the queue holds") != NULL);
    CHECK(!(hw.fqcsr & 0x300) && hw.fqh == hw.fqt && hw.fqcsr & 1);
    for (uint32_t n = 0; n < 1000; n++) {
        mock.faults[0] = '\0';
        device_faults(8, 23, 3, 0x5000);
        mock.timer->fn(mock.timer, &mock.pcpu);
        CHECK_STR(mock.faults, "8:1:0x5000:not mapped, or read-only\n");
    }
    end();
}

/* Interrupts by message only, or a wire that leads nowhere: it is looked at now and then. */
TEST(faults_without_an_interrupt)
{
    for (uint32_t n = 0; n < 2; n++) {
        begin(n ? CAPS_QEMU : CAPS_QEMU & ~BITS(29, 28));
        hw.fctl_writable = n ? FCTL_WSI : 0;
        hw.fctl = 0;
        mock.irq = n ? 0 : 36;
        CHECK_EQ(probe(), 0);
        CHECK(mock.handler == NULL && mock.timer != NULL && mock.timer_at > mock.now);
        CHECK(strstr(mock.log, "faults are looked for") != NULL);
        device_faults(8, 23, 3, 0x5000);
        mock.timer_at = 0;
        mock.timer->fn(mock.timer, &mock.pcpu);
        CHECK_STR(mock.faults, "8:1:0x5000:not mapped, or read-only\n");
        CHECK(mock.timer_at > mock.now);
        end();
    }
}

/* The device's last faults are told while it is known whose it was. */
TEST(faults_at_the_end)
{
    begin(CAPS_QEMU);
    CHECK_EQ(probe(), 0);
    CHECK_EQ(attach(8), 0);
    device_faults(8, 23, 3, 0x5000);
    detach(8);
    CHECK_STR(mock.faults, "8:1:0x5000:not mapped, or read-only\n");
    end();
}
