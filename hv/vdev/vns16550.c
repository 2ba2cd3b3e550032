/* SPDX-License-Identifier: MIT */
/*
 * An emulated 16550 (TI PC16550D data sheet, section 8), registers one byte
 * apart: what the guest writes goes to the host console at once, what is typed for
 * its domain waits in a ring.
 *
 * The transmitter is always empty, so its interrupt follows each byte, and
 * the line status never makes a guest wait. The receiver shows the trigger levels
 * of its 16-byte FIFO on a ring that holds more, so that pasted text is not lost;
 * the time that a character may wait below the trigger level is none. Line settings
 * are kept and mean nothing; the modem's lines are always on, except in loopback,
 * where the receiver hears the transmitter instead of the console.
 *
 * The registers are under uart.lock; reads of the line status, which guests
 * poll for each byte, do without as long as no byte was lost.
 */
#include <loam/vcpu.h>

#include "uart.h"

/* Registers; DLL and DLM are there while LCR_DLAB is set. */
#define RBR 0 /* read */
#define THR 0 /* write */
#define DLL 0
#define IER 1
#define DLM 1
#define IIR 2 /* read */
#define FCR 2 /* write */
#define LCR 3
#define MCR 4
#define LSR 5
#define MSR 6
#define SCR 7

#define IER_ERBI BIT(0)  /* data available */
#define IER_ETBEI BIT(1) /* THR empty */
#define IER_ELSI BIT(2)  /* line status */
#define IER_EDSSI BIT(3) /* modem status */
#define IER_BITS 0x0f
#define IIR_NONE 0x01
/* Highest priority first. */
#define IIR_LINE 0x06
#define IIR_DATA 0x04
#define IIR_TIMEOUT 0x0c
#define IIR_THRE 0x02
#define IIR_MODEM 0x00
#define IIR_FIFO 0xc0
#define FCR_ENABLE BIT(0)
#define FCR_RESET_RX BIT(1)
#define LCR_DLAB BIT(7)
#define MCR_DTR BIT(0)
#define MCR_RTS BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3)
#define MCR_LOOP BIT(4)
#define MCR_BITS 0x1f
#define LSR_DR BIT(0)
#define LSR_OE BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)
#define MSR_CTS BIT(4)
#define MSR_DSR BIT(5)
#define MSR_RI BIT(6)
#define MSR_DCD BIT(7)

#define FIFO_SIZE 16

struct vns16550 {
    struct vuart uart; /* first */
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm; /* [lock] */
    uint8_t modem_changes; /* [lock] MSR bits 3-0 */
    bool overrun;          /* [lock] LSR_OE */
    bool thre;             /* [lock] THR became empty, and IIR did not say so yet */
};

/* --- State; all with the lock held ---------------------------------------- */

static bool has_fifo_locked(const struct vns16550 *u) { return u->fcr & FCR_ENABLE; }

static uint32_t rx_trigger_locked(const struct vns16550 *u)
{
    static const uint8_t trigger[4] = { 1, 4, 8, 14 };

    return has_fifo_locked(u) ? trigger[u->fcr >> 6] : 1;
}

/* The interrupt that IIR names: of those enabled and pending, the one of highest priority. */
static uint8_t interrupt_locked(const struct vns16550 *u)
{
    uint32_t count = vuart_rx_count(&u->uart);

    if ((u->ier & IER_ELSI) && u->overrun) {
        return IIR_LINE;
    }
    if ((u->ier & IER_ERBI) && count > 0) {
        return count >= rx_trigger_locked(u) ? IIR_DATA : IIR_TIMEOUT;
    }
    if ((u->ier & IER_ETBEI) && u->thre) {
        return IIR_THRE;
    }
    if ((u->ier & IER_EDSSI) && u->modem_changes) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

static void update_locked(struct vns16550 *u)
{
    vuart_set_level_locked(&u->uart, interrupt_locked(u) != IIR_NONE);
}

/* A byte arrives. Only in loopback the receiver is as small as the guest believes. */
static void receive_locked(struct vns16550 *u, uint8_t byte)
{
    uint32_t room = !(u->mcr & MCR_LOOP) ? VUART_RX_RING : has_fifo_locked(u) ? FIFO_SIZE : 1;

    if (vuart_rx_count(&u->uart) >= room) {
        atomic_store_relaxed(&u->overrun, true);
        if (room != 1) {
            return;
        }
        vuart_rx_drop_locked(&u->uart); /* without a FIFO the older byte is overwritten */
    }
    vuart_rx_put_locked(&u->uart, byte);
}

/* MSR bits 7-4. */
static uint8_t modem_lines_locked(const struct vns16550 *u)
{
    if (!(u->mcr & MCR_LOOP)) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* --- Reads ---------------------------------------------------------------- */

static uint8_t read_line_status(struct vns16550 *u)
{
    uint8_t status = LSR_THRE | LSR_TEMT;

    if (unlikely(atomic_load_relaxed(&u->overrun))) {
        spin_lock(&u->uart.lock);
        status |= u->overrun ? LSR_OE : 0;
        atomic_store_relaxed(&u->overrun, false);
        update_locked(u);
        spin_unlock(&u->uart.lock);
    }
    return status | (vuart_rx_count(&u->uart) > 0 ? LSR_DR : 0);
}

static uint8_t read_data_locked(struct vns16550 *u)
{
    if (vuart_rx_count(&u->uart) == 0) {
        return 0;
    }
    uint8_t byte = vuart_rx_take_locked(&u->uart);
    update_locked(u);
    return byte;
}

/* Naming the transmitter's interrupt ends it; the others end with their causes. */
static uint8_t read_interrupt_locked(struct vns16550 *u)
{
    uint8_t id = interrupt_locked(u);

    if (id == IIR_THRE) {
        atomic_store_relaxed(&u->thre, false);
        update_locked(u);
    }
    return id | (has_fifo_locked(u) ? IIR_FIFO : 0);
}

static uint8_t read_modem_locked(struct vns16550 *u)
{
    uint8_t status = modem_lines_locked(u) | u->modem_changes;

    u->modem_changes = 0;
    update_locked(u);
    return status;
}

static uint8_t read_locked(struct vns16550 *u, uint64_t offset)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (offset) {
    case RBR:
        return dlab ? u->dll : read_data_locked(u);
    case IER:
        return dlab ? u->dlm : u->ier;
    case IIR:
        return read_interrupt_locked(u);
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case MSR:
        return read_modem_locked(u);
    case SCR:
        return u->scr;
    default:
        return 0;
    }
}

/*
 * An 8-bit device on a wider bus: an access of any width reaches the register
 * at its address alone, through the lowest byte; the other bytes read as 0.
 */
static enum mmio_result vns16550_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                      uint64_t *value)
{
    struct vns16550 *u = data;

    if (likely(offset == LSR)) {
        *value = read_line_status(u);
    } else {
        spin_lock(&u->uart.lock);
        *value = read_locked(u, offset);
        spin_unlock(&u->uart.lock);
    }
    return MMIO_OK;
}

/* --- Writes --------------------------------------------------------------- */

static void write_data(struct vns16550 *u, uint8_t byte)
{
    bool loop = atomic_load_relaxed(&u->mcr) & MCR_LOOP;

    if (!loop) {
        vuart_send(&u->uart, byte);
    }
    /* IER may change meanwhile: what enables the interrupt makes it pending, too. */
    if (loop || ((atomic_load_relaxed(&u->ier) & IER_ETBEI) && !atomic_load_relaxed(&u->thre))) {
        spin_lock(&u->uart.lock);
        if (loop) {
            receive_locked(u, byte);
        }
        atomic_store_relaxed(&u->thre, true);
        update_locked(u);
        spin_unlock(&u->uart.lock);
    }
}

/* An empty THR interrupts as soon as it may. */
static void write_enables_locked(struct vns16550 *u, uint8_t value)
{
    if ((value & IER_ETBEI) && !(u->ier & IER_ETBEI)) {
        atomic_store_relaxed(&u->thre, true);
    }
    atomic_store_relaxed(&u->ier, value & IER_BITS);
}

/* The other bits mean something only together with FCR_ENABLE, whose change resets, too. */
static void write_fifo_locked(struct vns16550 *u, uint8_t value)
{
    if (((value ^ u->fcr) & FCR_ENABLE) || ((value & FCR_ENABLE) && (value & FCR_RESET_RX))) {
        vuart_rx_drop_locked(&u->uart);
    }
    u->fcr = value;
}

static void write_modem_locked(struct vns16550 *u, uint8_t value)
{
    uint8_t before = modem_lines_locked(u);

    atomic_store_relaxed(&u->mcr, value & MCR_BITS);
    uint8_t after = modem_lines_locked(u);
    /* Of the ring indicator only the end is noted. */
    u->modem_changes |= (uint8_t)(((before ^ after) & ~(after & MSR_RI)) >> 4);
}

static void write_locked(struct vns16550 *u, uint64_t offset, uint8_t value)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (offset) {
    case DLL:
        u->dll = value; /* THR: write_data() */
        break;
    case IER:
        if (dlab) {
            u->dlm = value;
        } else {
            write_enables_locked(u, value);
        }
        break;
    case FCR:
        write_fifo_locked(u, value);
        break;
    case LCR:
        atomic_store_relaxed(&u->lcr, value);
        break;
    case MCR:
        write_modem_locked(u, value);
        break;
    case SCR:
        u->scr = value;
        break;
    default: /* read-only, or nothing there */
        break;
    }
    update_locked(u);
}

static enum mmio_result vns16550_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                       uint64_t value)
{
    struct vns16550 *u = data;

    if (likely(offset == THR) && likely(!(atomic_load_relaxed(&u->lcr) & LCR_DLAB))) {
        write_data(u, (uint8_t)value);
    } else {
        spin_lock(&u->uart.lock);
        write_locked(u, offset, (uint8_t)value);
        spin_unlock(&u->uart.lock);
    }
    return MMIO_OK;
}

/* --- The model ------------------------------------------------------------ */

static void vns16550_input_locked(struct vuart *uart, uint8_t byte)
{
    struct vns16550 *u = container_of(uart, struct vns16550, uart);

    if (!(u->mcr & MCR_LOOP)) {
        receive_locked(u, byte);
        update_locked(u);
    }
}

static void vns16550_reset(struct vuart *uart)
{
    struct vns16550 *u = container_of(uart, struct vns16550, uart);

    u->dll = 2; /* as if firmware had set 115200 baud of 3.6864 MHz, which the guest's tree says */
}

const struct vuart_model vns16550_model = {
    .size = sizeof(struct vns16550),
    .mmio_size = VUART_NS16550_SIZE,
    .ops = { .read = vns16550_read, .write = vns16550_write },
    .reset = vns16550_reset,
    .input_locked = vns16550_input_locked,
};
