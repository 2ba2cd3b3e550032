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
 * settings are kept and mean nothing. The registers are under uart.lock;
 * reads of the flags, which guests poll for each byte, do without.
 */
#include <loam/vcpu.h>

#include "uart.h"

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

struct vpl011 {
    struct vuart uart; /* first */
    bool tx_done;      /* [lock] INT_TX: a byte went out since it was cleared */
    uint16_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, dmacr; /* [lock] */
};

static const uint8_t ids[] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

/* UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO. */
static uint32_t rx_trigger(const struct vpl011 *u)
{
    static const uint8_t trigger[8] = { 4, 8, 16, 24, 28, 28, 28, 28 };

    return trigger[u->ifls >> 3 & 7];
}

static uint32_t raw_status_locked(const struct vpl011 *u)
{
    uint32_t count = vuart_rx_count(&u->uart);

    return (uint32_t)((count > 0 ? INT_RX_TIMEOUT : 0) | (count >= rx_trigger(u) ? INT_RX : 0) |
                      (u->tx_done ? INT_TX : 0));
}

static void update_locked(struct vpl011 *u)
{
    vuart_set_level_locked(&u->uart, (raw_status_locked(u) & u->imsc) != 0);
}

static uint32_t read_data(struct vpl011 *u)
{
    uint32_t value = 0;

    spin_lock(&u->uart.lock);
    if (vuart_rx_count(&u->uart) > 0) {
        value = vuart_rx_take_locked(&u->uart);
        update_locked(u);
    }
    spin_unlock(&u->uart.lock);
    return value;
}

static uint32_t read_flags(const struct vpl011 *u)
{
    uint32_t count = vuart_rx_count(&u->uart);

    return (uint32_t)(FR_TXFE | FR_CTS | FR_DSR | FR_DCD | (count == 0 ? FR_RXFE : 0) |
                      (count >= RX_FIFO ? FR_RXFF : 0));
}

static uint32_t read_status(struct vpl011 *u)
{
    spin_lock(&u->uart.lock);
    uint32_t status = raw_status_locked(u);
    spin_unlock(&u->uart.lock);
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

static void write_data(struct vpl011 *u, uint8_t byte)
{
    vuart_send(&u->uart, byte);
    if (!atomic_load_relaxed(&u->tx_done)) {
        spin_lock(&u->uart.lock);
        atomic_store_relaxed(&u->tx_done, true);
        update_locked(u);
        spin_unlock(&u->uart.lock);
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
        write_data(u, (uint8_t)value);
    } else if (offset % 4 == 0) { /* the upper bytes of a register alone mean nothing */
        spin_lock(&u->uart.lock);
        write_locked(u, offset, (uint32_t)value);
        spin_unlock(&u->uart.lock);
    }
    return MMIO_OK;
}

/* Lost when the ring is full. */
static void vpl011_input_locked(struct vuart *uart, uint8_t byte)
{
    struct vpl011 *u = container_of(uart, struct vpl011, uart);

    if (vuart_rx_count(uart) < VUART_RX_RING) {
        vuart_rx_put_locked(uart, byte);
        update_locked(u);
    }
}

static void vpl011_reset(struct vuart *uart)
{
    struct vpl011 *u = container_of(uart, struct vpl011, uart);

    u->cr = 0x300; /* reset values (DDI 0183 3.2) */
    u->ifls = 0x12;
}

const struct vuart_model vpl011_model = {
    .size = sizeof(struct vpl011),
    .mmio_size = VUART_PL011_SIZE,
    .ops = { .read = vpl011_read, .write = vpl011_write },
    .reset = vpl011_reset,
    .input_locked = vpl011_input_locked,
};
