/* SPDX-License-Identifier: MIT */
/*
 * An emulated PL011 (Arm DDI 0183, r1p5), which is also the generic UART of
 * Arm's SBSA: what the guest writes goes to the host console at once, what is
 * typed for its domain waits in a ring.
 *
 * The transmit FIFO is always empty, so the flag register never makes a guest
 * wait and its transmit interrupt follows each byte. The receive FIFO shows
 * 32 bytes of a ring that holds more, so that pasted text is not lost. Its two
 * interrupts are levels: data beyond the trigger level, data at all. Line
 * settings are kept and mean nothing. The registers are under vpl011.lock;
 * reads of the flags, which guests poll for each byte, do without.
 */
#include <arch/guest.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/lock.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/vcpu.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#define UARTDR 0x000
#define UARTRSR 0x004
#define UARTFR 0x018
#define UARTILPR 0x020
#define UARTIBRD 0x024
#define UARTFBRD 0x028
#define UARTLCR_H 0x02c
#define UARTCR 0x030
#define UARTIFLS 0x034
#define UARTIMSC 0x038
#define UARTRIS 0x03c
#define UARTMIS 0x040
#define UARTICR 0x044
#define UARTDMACR 0x048
#define UARTID 0xfe0 /* UARTPeriphID0-3, UARTPCellID0-3 */

#define FR_CTS BIT(0)
#define FR_DSR BIT(1)
#define FR_DCD BIT(2)
#define FR_RXFE BIT(4)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)
#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RX_TIMEOUT BIT(6)
#define INT_ALL 0x7ff

#define RX_FIFO 32
#define RX_RING 512 /* a power of two */

struct vpl011 {
    struct spinlock lock; /* LOCK_RANK_VDEV */
    struct domain *domain;
    uint32_t virq;
    bool level;      /* [lock] of the interrupt */
    bool tx_done;    /* [lock] INT_TX: a byte went out since it was cleared */
    uint32_t rx_head, rx_tail; /* [lock] bytes ever put, taken */
    uint16_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, dmacr; /* [lock] */
    char rx[RX_RING];
};

static const uint8_t ids[] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

static uint32_t rx_count(const struct vpl011 *u)
{
    return atomic_load_relaxed(&u->rx_head) - atomic_load_relaxed(&u->rx_tail);
}

/* UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO. */
static uint32_t rx_trigger(const struct vpl011 *u)
{
    static const uint8_t trigger[8] = { 4, 8, 16, 24, 28, 28, 28, 28 };

    return trigger[u->ifls >> 3 & 7];
}

static uint32_t raw_status_locked(const struct vpl011 *u)
{
    uint32_t count = rx_count(u);

    return (uint32_t)((count > 0 ? INT_RX_TIMEOUT : 0) | (count >= rx_trigger(u) ? INT_RX : 0) |
                      (u->tx_done ? INT_TX : 0));
}

static void update_locked(struct vpl011 *u)
{
    bool level = (raw_status_locked(u) & u->imsc) != 0;

    if (level != u->level) {
        u->level = level;
        arch_vintc_set_level(u->domain, u->virq, level);
    }
}

static uint32_t read_data(struct vpl011 *u)
{
    uint32_t value = 0;

    spin_lock(&u->lock);
    if (rx_count(u) > 0) {
        value = (uint8_t)u->rx[u->rx_tail % RX_RING];
        atomic_store_relaxed(&u->rx_tail, u->rx_tail + 1);
        update_locked(u);
    }
    spin_unlock(&u->lock);
    return value;
}

static uint32_t read_flags(const struct vpl011 *u)
{
    uint32_t count = rx_count(u);

    return (uint32_t)(FR_TXFE | FR_CTS | FR_DSR | FR_DCD | (count == 0 ? FR_RXFE : 0) |
                      (count >= RX_FIFO ? FR_RXFF : 0));
}

static uint32_t read_status(struct vpl011 *u)
{
    spin_lock(&u->lock);
    uint32_t status = raw_status_locked(u);
    spin_unlock(&u->lock);
    return status;
}

/* The 32-bit register at offset; 0 where there is none. */
static uint32_t read_register(struct vpl011 *u, uint64_t offset)
{
    switch (offset) {
    case UARTDR:
        return read_data(u);
    case UARTFR:
        return read_flags(u);
    case UARTILPR:
        return u->ilpr;
    case UARTIBRD:
        return u->ibrd;
    case UARTFBRD:
        return u->fbrd;
    case UARTLCR_H:
        return u->lcr_h;
    case UARTCR:
        return u->cr;
    case UARTIFLS:
        return u->ifls;
    case UARTIMSC:
        return u->imsc;
    case UARTRIS:
        return read_status(u);
    case UARTMIS:
        return read_status(u) & u->imsc;
    case UARTDMACR:
        return u->dmacr;
    default:
        return offset >= UARTID ? ids[(offset - UARTID) / 4] : 0;
    }
}

static enum mmio_result vpl011_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                    uint64_t *value)
{
    if (size > 4) {
        return MMIO_FAULT;
    }
    uint32_t reg = read_register(data, offset & ~UINT64_C(3));

    *value = reg >> (offset & 3) * 8 & (UINT32_MAX >> (32 - 8 * size));
    return MMIO_OK;
}

static void write_data(struct vpl011 *u, char c)
{
    console_write(u->domain, &c, 1);
    if (!atomic_load_relaxed(&u->tx_done)) {
        spin_lock(&u->lock);
        atomic_store_relaxed(&u->tx_done, true);
        update_locked(u);
        spin_unlock(&u->lock);
    }
}

static void write_locked(struct vpl011 *u, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case UARTILPR:
        u->ilpr = value & 0xff;
        break;
    case UARTIBRD:
        u->ibrd = (uint16_t)value;
        break;
    case UARTFBRD:
        u->fbrd = value & 0x3f;
        break;
    case UARTLCR_H:
        u->lcr_h = value & 0xff;
        break;
    case UARTCR:
        u->cr = (uint16_t)value;
        break;
    case UARTIFLS:
        u->ifls = value & 0x3f;
        break;
    case UARTIMSC:
        u->imsc = value & INT_ALL;
        break;
    case UARTICR:
        /* The receive interrupts are levels: reading the data ends them. */
        if (value & INT_TX) {
            u->tx_done = false;
        }
        break;
    case UARTDMACR:
        u->dmacr = value & 7;
        break;
    default: /* read-only, or nothing there */
        break;
    }
    update_locked(u);
}

static enum mmio_result vpl011_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                     uint64_t value)
{
    struct vpl011 *u = data;

    if (size > 4) {
        return MMIO_FAULT;
    }
    if (likely(offset == UARTDR)) {
        write_data(u, (char)value);
    } else if (offset % 4 == 0) { /* the upper bytes of a register alone mean nothing */
        spin_lock(&u->lock);
        write_locked(u, offset, (uint32_t)value);
        spin_unlock(&u->lock);
    }
    return MMIO_OK;
}

/* From the console: a byte for d; lost when the ring is full. */
static void vpl011_input(struct domain *d, char c)
{
    struct vpl011 *u = d->sub[VUART_SUB];

    spin_lock(&u->lock);
    if (rx_count(u) < RX_RING) {
        u->rx[u->rx_head % RX_RING] = c;
        atomic_store_relaxed(&u->rx_head, u->rx_head + 1);
        update_locked(u);
    }
    spin_unlock(&u->lock);
}

static const struct mmio_ops vpl011_ops = { .read = vpl011_read, .write = vpl011_write };

int vpl011_create(struct domain *d, gpa_t base, uint32_t virq)
{
    if (d->sub[VUART_SUB] != NULL) {
        return -XEN_EEXIST;
    }
    struct vpl011 *u = mem_alloc(d->hv, sizeof(*u));

    if (u == NULL) {
        return -XEN_ENOMEM;
    }
    u->lock = SPINLOCK_INIT(LOCK_RANK_VDEV);
    u->domain = d;
    u->virq = virq;
    u->cr = 0x300; /* reset values (DDI 0183 3.2) */
    u->ifls = 0x12;
    d->sub[VUART_SUB] = u;
    int rc = console_attach(d, vpl011_input);
    if (rc) {
        goto out_free;
    }
    rc = mmio_register(d, base, PAGE_SIZE, &vpl011_ops, u);
    if (rc) {
        goto out_detach;
    }
    return 0;

out_detach:
    console_detach(d);
out_free:
    d->sub[VUART_SUB] = NULL;
    mem_free(d->hv, u, sizeof(*u));
    return rc;
}

void vpl011_destroy(struct domain *d)
{
    struct vpl011 *u = d->sub[VUART_SUB];

    console_detach(d);
    d->sub[VUART_SUB] = NULL;
    mem_free(d->hv, u, sizeof(*u));
}
