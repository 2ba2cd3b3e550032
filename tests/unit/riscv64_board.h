/* SPDX-License-Identifier: MIT */
/*
 * The host's interrupt controllers of riscv64 (irq.c, plic.c, aplic.c, imsic.c) over models of
 * a PLIC, an APLIC and interrupt files, which follow the specifications where an emulator is
 * lenient: a completion of a disabled source is lost, a level in direct mode never stops,
 * a level in MSI mode sends one message. The device trees are those of QEMU's virt board with
 * two harts. To be included before anything else: see the first include.
 *
 *   boot(BOARD_PLIC)     what the controllers make of the board's tree, on both harts
 *   on(1), wire(n, true) hart 1 executes; source n's wire goes high
 *   poll()               takes what is pending on this hart
 *   end()
 */
#ifndef RISCV64_BOARD_H
#define RISCV64_BOARD_H

/* The library has the fake machine's of these. */
#define arch_irq_poll rv_irq_poll
#define arch_irq_first rv_irq_first
#define arch_irq_count rv_irq_count
#define arch_irq_unmask rv_irq_unmask
#define arch_irq_mask rv_irq_mask
#define arch_cpu_kick rv_cpu_kick
#define arch_host_irq_of rv_host_irq_of
/* Answered below. */
#define log_line test_log_line
#define mem_alloc test_mem_alloc
#define irq_deliver test_irq_deliver
#define arch_map_device test_map_device
#define RISCV64_MMIO_H

/* Before what is below: struct pcpu is riscv64's, not that of the fake machine. */
#include "riscv64_csr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t reg_read32(uintptr_t a);
static void reg_write32(uintptr_t a, uint32_t v);
static uint64_t hw_csr_swap(const char *csr, uint64_t value);
static void fence(void) {}

#include "../../hv/arch/riscv64/aplic.c"
#include "../../hv/arch/riscv64/imsic.c"
#include "../../hv/arch/riscv64/irq.c"
#include "../../hv/arch/riscv64/plic.c"

#include <loam/fdt_write.h>

#define HARTS 2
#define IRQS 97 /* sources of the models: 1 .. 96 */
#define PLIC_ADDR 0xc000000u
#define APLIC_M_ADDR 0xc000000u
#define APLIC_ADDR 0xd000000u
#define IMSIC_ADDR 0x28000000u
#define UART_IRQ 10u

/* --- The hardware: a register is at its machine address ------------------- */

static struct {
    uint32_t hart; /* that executes */
    bool level[IRQS]; /* of the wires */
    bool ssip[HARTS], stip[HARTS], sgeip[HARTS];
    uint64_t sie[HARTS], hie[HARTS];
    /* PLIC; contexts 0, 2 are M mode of the harts, 1, 3 S mode */
    uint32_t prio[IRQS];
    bool p_pending[IRQS], p_claimed[IRQS], p_enabled[4][IRQS];
    uint32_t threshold[4];
    /* APLIC */
    uint32_t domaincfg, msi_fixed; /* msi_fixed: domaincfg bits that are wired to 1 */
    uint32_t sourcecfg[IRQS], target[IRQS];
    bool a_pending[IRQS], a_enabled[IRQS], rect[IRQS];
    bool foreign[IRQS]; /* not delegated to this domain */
    uint32_t idelivery[HARTS], ithreshold[HARTS];
    /* interrupt files: identities 1 .. 255 */
    uint64_t siselect, eip[HARTS][4], eie[HARTS][4], eidelivery[HARTS], eithreshold[HARTS];
    uint32_t messages, ipis, timers, guest_externals;
    uint32_t nr_accesses; /* of device registers */
} hw;

static void plic_update(void)
{
    for (uint32_t i = 1; i < IRQS; i++) {
        hw.p_pending[i] |= hw.level[i] && !hw.p_claimed[i];
    }
}

static uint32_t plic_top(uint32_t context)
{
    for (uint32_t i = 1; i < IRQS; i++) {
        if (hw.p_pending[i] && hw.p_enabled[context][i] && hw.prio[i] > hw.threshold[context]) {
            return i;
        }
    }
    return 0;
}

static void file_store(uintptr_t a, uint32_t id)
{
    uint32_t hart = (uint32_t)(a - IMSIC_ADDR) / 0x8000;

    CHECK_EQ((a - IMSIC_ADDR) % 0x8000, 0);
    CHECK(hart < HARTS && id < 256);
    hw.eip[hart][id / 64] |= BIT(id % 64);
    hw.messages++;
}

static uint32_t file_top(uint32_t hart)
{
    for (uint32_t id = 1; id < 256; id++) {
        if (hw.eip[hart][id / 64] & hw.eie[hart][id / 64] & BIT(id % 64)) {
            return id;
        }
    }
    return 0;
}

/* AIA 4.7: the pending bits, after anything that a rule names has changed. */
static void aplic_update(void)
{
    bool msi = hw.domaincfg & 4;

    for (uint32_t i = 1; i < IRQS; i++) {
        uint32_t mode = hw.sourcecfg[i];
        bool was = hw.rect[i];

        hw.rect[i] = mode >= 4 && hw.level[i] != (mode & 1);
        if (mode == 0) {
            hw.a_pending[i] = hw.a_enabled[i] = false;
        } else if (mode >= 6 && !msi) {
            hw.a_pending[i] = hw.rect[i];
        } else {
            hw.a_pending[i] |= !was && hw.rect[i];
            hw.a_pending[i] &= mode < 6 || hw.rect[i];
        }
        if (msi && hw.domaincfg & 0x100 && hw.a_pending[i] && hw.a_enabled[i]) {
            hw.a_pending[i] = false;
            file_store(IMSIC_ADDR + (hw.target[i] >> 18) * 0x8000, hw.target[i] & 0x7ff);
        }
    }
}

static uint32_t aplic_top(uint32_t hart)
{
    for (uint32_t i = 1; i < IRQS; i++) {
        if (hw.a_pending[i] && hw.a_enabled[i] && hw.target[i] >> 18 == hart) {
            return i;
        }
    }
    return 0;
}

static void wire(uint32_t irq, bool level)
{
    hw.level[irq] = level;
    plic_update();
    aplic_update();
}

static uint32_t plic_access(uint32_t a, bool write, uint32_t v)
{
    if (a < 0x1000) {
        if (write) {
            hw.prio[a / 4] = v;
        }
        return hw.prio[a / 4];
    }
    if (a >= 0x200000) {
        uint32_t context = (a - 0x200000) / 0x1000;

        if (a % 0x1000 == 0) {
            hw.threshold[context] = v;
        } else if (write) {
            hw.p_claimed[v] &= !hw.p_enabled[context][v];
            plic_update();
        } else {
            uint32_t irq = plic_top(context);
            hw.p_claimed[irq] = true;
            hw.p_pending[irq] = false;
            return irq;
        }
        return 0;
    }
    uint32_t context = (a - 0x2000) / 0x80, base = (a - 0x2000) % 0x80 * 8, bits = 0;
    for (uint32_t i = base; i < base + 32 && i < IRQS; i++) {
        if (write) {
            hw.p_enabled[context][i] = v >> (i - base) & 1;
        }
        bits |= (uint32_t)hw.p_enabled[context][i] << (i - base);
    }
    return bits;
}

static uint32_t aplic_read(uint32_t a)
{
    if (a == 0) {
        return hw.domaincfg | 0x80000000;
    }
    if (a < 0x1000) {
        return hw.sourcecfg[a / 4];
    }
    CHECK_EQ((a - 0x4000) % 32, 0x1c);
    uint32_t irq = aplic_top((a - 0x4000) / 32);
    hw.a_pending[irq] = false;
    aplic_update();
    return irq << 16 | 1;
}

static void aplic_idc_write(uint32_t hart, uint32_t reg, uint32_t v)
{
    if (reg == 0) {
        hw.idelivery[hart] = v;
    } else if (reg == 8) {
        hw.ithreshold[hart] = v;
    } else {
        CHECK_EQ(reg, 4);
    }
}

static void aplic_write(uint32_t a, uint32_t v)
{
    if (a == 0) {
        hw.domaincfg = v | hw.msi_fixed;
    } else if (a < 0x1000) {
        CHECK(a / 4 < IRQS);
        hw.sourcecfg[a / 4] = hw.foreign[a / 4] ? 0 : v;
    } else if (a > 0x3000 && a < 0x4000) {
        hw.target[(a - 0x3000) / 4] = v;
    } else if (a >= 0x4000) {
        aplic_idc_write((a - 0x4000) / 32, (a - 0x4000) % 32, v);
    } else if (hw.sourcecfg[v] == 0) {
        return; /* inactive: ignored */
    } else if (a == 0x1edc) {
        hw.a_enabled[v] = true;
    } else if (a == 0x1fdc) {
        hw.a_enabled[v] = false;
    } else if (a == 0x1cdc) {
        hw.a_pending[v] |= hw.sourcecfg[v] < 6 || (hw.rect[v] && hw.domaincfg & 4);
    } else {
        CHECK(!"a register of the APLIC that exists");
    }
    aplic_update();
}

static struct machine m;
static struct pcpu pcpu[HARTS];

static uint32_t reg_read32(uintptr_t a)
{
    hw.nr_accesses++;
    return m.host.intc == HOST_INTC_PLIC ? plic_access((uint32_t)(a - PLIC_ADDR), false, 0)
                                         : aplic_read((uint32_t)(a - APLIC_ADDR));
}

static void reg_write32(uintptr_t a, uint32_t v)
{
    hw.nr_accesses++;
    if (m.host.intc == HOST_INTC_PLIC) {
        plic_access((uint32_t)(a - PLIC_ADDR), true, v);
    } else if (a >= IMSIC_ADDR) {
        file_store(a, v);
    } else {
        aplic_write((uint32_t)(a - APLIC_ADDR), v);
    }
}

static bool seip(uint32_t hart)
{
    switch (m.host.intc) {
    case HOST_INTC_PLIC:
        return plic_top(hart * 2 + 1) != 0;
    case HOST_INTC_APLIC:
        return hw.domaincfg & 0x100 && hw.idelivery[hart] && aplic_top(hart) != 0;
    case HOST_INTC_IMSIC:
        return hw.eidelivery[hart] == 1 && file_top(hart) != 0;
    case HOST_INTC_NONE:
        break;
    }
    return false;
}

/* The register of an interrupt file that siselect names; NULL: not one of RV64's. */
static uint64_t *file_reg(uint32_t hart)
{
    uint64_t n = hw.siselect;

    if (n == 0x70 || n == 0x72) {
        return n == 0x70 ? &hw.eidelivery[hart] : &hw.eithreshold[hart];
    }
    if (n % 2 || n < 0x80 || (n & 0x3f) >= 8) {
        return NULL;
    }
    return n < 0xc0 ? &hw.eip[hart][(n - 0x80) / 2] : &hw.eie[hart][(n - 0xc0) / 2];
}

static uint64_t hw_csr_read(const char *csr)
{
    if (strcmp(csr, "sie") == 0) {
        return hw.sie[hw.hart];
    }
    if (strcmp(csr, "hie") == 0) {
        return hw.hie[hw.hart];
    }
    if (strcmp(csr, "hip") == 0) {
        return hw.sgeip[hw.hart] ? HIP_SGEIP : 0;
    }
    CHECK_STR(csr, "sip");
    return (hw.ssip[hw.hart] ? SIP_SSIP : 0) | (hw.stip[hw.hart] ? SIP_STIP : 0) |
           (seip(hw.hart) ? SIP_SEIP : 0);
}

static void hw_csr_write(const char *csr, uint64_t value)
{
    if (strcmp(csr, "sie") == 0) {
        hw.sie[hw.hart] = value;
    } else if (strcmp(csr, "hie") == 0) {
        hw.hie[hw.hart] = value;
    } else if (strcmp(csr, "sip") == 0) {
        hw.ssip[hw.hart] = value & SIP_SSIP; /* the only one that can be written */
    } else if (strcmp(csr, "0x150") == 0) {
        hw.siselect = value;
    } else {
        uint64_t *reg = file_reg(hw.hart);

        CHECK_STR(csr, "0x151");
        REQUIRE(reg != NULL);
        *reg = value;
    }
}

static uint64_t hw_csr_swap(const char *csr, uint64_t value)
{
    uint32_t id = file_top(hw.hart);

    CHECK_STR(csr, "0x15c");
    hw.eip[hw.hart][id / 64] &= ~BIT(id % 64);
    return (uint64_t)id << 16 | id;
}

void sbi_send_ipi(uint64_t hartid)
{
    hw.ipis++;
    hw.ssip[hartid] = true;
}

/* --- What the controllers call ------------------------------------------- */

static char log_text[512];
static void *allocated[4];
static uint32_t nr_allocated;
static uint32_t delivered[64], nr_delivered;
static bool guest_has; /* the answer of irq_deliver() */

void test_log_line(struct hv *hv, enum log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(log_text, sizeof(log_text), fmt, args);
    va_end(args);
}

void *test_mem_alloc(struct hv *hv, size_t size)
{
    if (unit_alloc_should_fail()) {
        return NULL;
    }
    return allocated[nr_allocated++] = calloc(1, size);
}

uintptr_t test_map_device(struct hv *hv, hpa_t start, uint64_t size)
{
    return unit_alloc_should_fail() ? 0 : start.a;
}

bool test_irq_deliver(struct pcpu *p, uint32_t irq)
{
    CHECK(p == &pcpu[hw.hart]);
    delivered[nr_delivered++ % 64] = irq;
    return guest_has;
}

void timer_due(struct pcpu *p)
{
    hw.timers++;
    hw.stip[hw.hart] = false;
}

void vintc_guest_external(struct pcpu *p)
{
    hw.guest_externals++;
    hw.sgeip[hw.hart] = false;
}

void vintc_pcpu_init(struct pcpu *p)
{
    /* A file that is lent to nobody: what counts is that there is one. */
    p->arch.vintc.files = p->arch.imsic != 0 ? (struct gfiles *)(void *)p : NULL;
}

void vintc_poll(struct pcpu *p) {}

/* --- Trees and worlds ---------------------------------------------------- */

enum board { BOARD_PLIC, BOARD_APLIC, BOARD_IMSIC };

/* What a test breaks in the tree. */
static struct breakage {
    const char *node; /* its name without unit address */
    uint64_t unit;
    const char *prop; /* left out, or this value in its place: */
    const uint32_t *cells;
    uint32_t nr;
} broken;

static const char *node_now;
static uint64_t unit_now;

static void begin(struct fdt_writer *w, const char *name, uint64_t unit)
{
    node_now = name;
    unit_now = unit;
    fdt_write_begin_unit(w, name, unit);
}

static void cells(struct fdt_writer *w, const char *name, const uint32_t *values, uint32_t nr)
{
    if (broken.node != NULL && strcmp(broken.node, node_now) == 0 && broken.unit == unit_now &&
        strcmp(broken.prop, name) == 0) {
        values = broken.cells;
        nr = broken.nr;
    }
    if (values != NULL) {
        fdt_write_prop_cells(w, name, values, nr);
    }
}
#define CELLS(w, name, ...) \
    cells(w, name, (const uint32_t[]){ __VA_ARGS__ }, \
          sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static void write_plic(struct fdt_writer *w)
{
    static const char *const compatible[] = { "sifive,plic-1.0.0", "riscv,plic0" };

    begin(w, "plic", PLIC_ADDR);
    CELLS(w, "phandle", 5);
    CELLS(w, "riscv,ndev", 0x5f);
    CELLS(w, "reg", 0, PLIC_ADDR, 0, 0x600000);
    CELLS(w, "interrupts-extended", 4, 0xb, 4, 9, 2, 0xb, 2, 9);
    fdt_write_prop_empty(w, "interrupt-controller");
    CELLS(w, "#interrupt-cells", 1);
    fdt_write_prop_strings(w, "compatible", compatible, 2);
    fdt_write_end_node(w);
}

static void write_aplic(struct fdt_writer *w, uint32_t addr, uint32_t phandle, uint32_t files,
                        uint32_t irq)
{
    static const char *const compatible[] = { "qemu,aplic", "riscv,aplic" };

    begin(w, "interrupt-controller", addr);
    CELLS(w, "phandle", phandle);
    CELLS(w, "riscv,num-sources", 0x60);
    CELLS(w, "reg", 0, addr, 0, 0x8000);
    if (files) {
        CELLS(w, "msi-parent", files);
    } else {
        CELLS(w, "interrupts-extended", 4, irq, 2, irq);
    }
    fdt_write_prop_empty(w, "interrupt-controller");
    CELLS(w, "#interrupt-cells", 2);
    fdt_write_prop_strings(w, "compatible", compatible, 2);
    fdt_write_end_node(w);
}

static void write_imsic(struct fdt_writer *w, uint32_t addr, uint32_t phandle, uint32_t irq)
{
    static const char *const compatible[] = { "qemu,imsics", "riscv,imsics" };

    begin(w, "interrupt-controller", addr);
    CELLS(w, "phandle", phandle);
    CELLS(w, "riscv,num-ids", 0xff);
    if (irq == 9) {
        CELLS(w, "riscv,guest-index-bits", 3);
        CELLS(w, "reg", 0, addr, 0, 0x10000);
    } else {
        CELLS(w, "reg", 0, addr, 0, 0x2000);
    }
    CELLS(w, "interrupts-extended", 4, irq, 2, irq);
    fdt_write_prop_strings(w, "compatible", compatible, 2);
    fdt_write_end_node(w);
}

static void write_uart(struct fdt_writer *w, uint64_t unit, uint32_t irq, uint32_t type,
                       uint32_t controller)
{
    begin(w, "serial", unit);
    fdt_write_prop_u32(w, "interrupt-parent", controller);
    if (type) {
        CELLS(w, "interrupts", irq, type);
    } else {
        CELLS(w, "interrupts", irq);
    }
    fdt_write_end_node(w);
}

static _Alignas(8) uint8_t blob[8192];
static struct fdt tree;

static void make_tree(enum board board)
{
    struct fdt_writer w;

    fdt_write_begin(&w, blob, sizeof(blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    if (board == BOARD_PLIC) {
        write_plic(&w);
    } else {
        write_aplic(&w, APLIC_M_ADDR, 7, board == BOARD_IMSIC ? 5 : 0, 11);
        write_aplic(&w, APLIC_ADDR, 8, board == BOARD_IMSIC ? 6 : 0, 9);
    }
    if (board == BOARD_IMSIC) {
        write_imsic(&w, 0x24000000, 5, 11);
        write_imsic(&w, IMSIC_ADDR, 6, 9);
    }
    write_uart(&w, 1, UART_IRQ, board == BOARD_PLIC ? 0 : 4, board == BOARD_PLIC ? 5 : 8);
    write_uart(&w, 2, 11, board == BOARD_PLIC ? 0 : 1, board == BOARD_PLIC ? 5 : 8);
    write_uart(&w, 3, 12, board == BOARD_PLIC ? 0 : 8, board == BOARD_PLIC ? 5 : 8);
    write_uart(&w, 4, 0x61, board == BOARD_PLIC ? 0 : 4, board == BOARD_PLIC ? 5 : 8);
    write_uart(&w, 5, 14, 3, 8);
    fdt_write_end_node(&w);
    REQUIRE(fdt_write_finish(&w) > 0);
    REQUIRE(fdt_open(&tree, blob, sizeof(blob)) == 0);
}

static void end(void)
{
    while (nr_allocated) {
        free(allocated[--nr_allocated]);
    }
    broken = (struct breakage){ 0 };
}

/* A machine as the firmware leaves it: everything is dirty. */
static void reset(void)
{
    end();
    memset(&hw, 0, sizeof(hw));
    memset(&m, 0, sizeof(m));
    memset(pcpu, 0, sizeof(pcpu));
    memset(hw.prio, 1, sizeof(hw.prio));
    memset(hw.p_enabled, 1, sizeof(hw.p_enabled));
    memset(hw.eip, 0xff, sizeof(hw.eip));
    for (uint32_t i = 1; i < IRQS; i++) {
        hw.sourcecfg[i] = 6;
        hw.a_enabled[i] = true;
    }
    for (uint32_t i = 0; i < HARTS; i++) {
        hw.threshold[i * 2 + 1] = hw.ithreshold[i] = 7;
        hw.eithreshold[i] = 3;
        hw.ssip[i] = true;
        pcpu[i].hv = &m.hv;
        pcpu[i].arch.host = &m.host;
        pcpu[i].arch.hwid = pcpu[i].arch.hartid = i;
    }
    nr_delivered = 0;
    guest_has = false;
    log_text[0] = 0;
    m.host.has_ssaia = true;
    m.host.nr_cpus = HARTS;
    m.host.cpu[0] = (struct host_cpu){ .hartid = 0, .intc_phandle = 4 };
    m.host.cpu[1] = (struct host_cpu){ .hartid = 1, .intc_phandle = 2 };
}

static void on(uint32_t hart) { hw.hart = hart; }

static bool boot(enum board board)
{
    reset();
    make_tree(board);
    if (irq_init(&m.hv, &tree)) {
        return false;
    }
    for (uint32_t i = 0; i < HARTS; i++) {
        on(i);
        CHECK_EQ(irq_init_pcpu(&pcpu[i]), 0);
        CHECK_EQ(hw.sie[i], SIP_SEIP | SIP_SSIP);
        CHECK(!hw.ssip[i]);
    }
    on(0);
    return true;
}

/* Polls on this hart until nothing is pending; the number of interrupts delivered. */
static uint32_t poll(void)
{
    uint32_t before = nr_delivered;

    for (uint32_t i = 0; i < 20 && hw_csr_read("sip") & hw.sie[hw.hart]; i++) {
        arch_irq_poll(&pcpu[hw.hart]);
    }
    CHECK_EQ(hw_csr_read("sip") & hw.sie[hw.hart], 0);
    return nr_delivered - before;
}

#endif
