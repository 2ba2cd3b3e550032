/* SPDX-License-Identifier: MIT */
/*
 * The host console: lines of many writers on one device, input for one of them.
 *
 * Each domain that is attached has a client with room for one line. `open` is
 * the client whose unfinished line is on the screen, NULL when the cursor is in
 * column 0; whoever writes next breaks that line first, and it is shown anew when
 * it goes on. All of it is under
 * console.lock, the last rank, because anybody may print; input functions are
 * called without it. The number of clients is small and the last writer is
 * looked for first, so a list does.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/guest.h>
#include <arch/mmu.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/list.h>
#include <loam/lock.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "uart.h"

#define LINE_MAX 250
#define CTRL_A 1
#define SWITCH_COUNT 3
#define REG_SHIFT_MAX 4

/* Drivers, by what the device tree calls the device. */
static const struct {
    const char *compatible;
    const struct console_driver *drv;
} drivers[] = {
    { "arm,pl011", &pl011_driver },
    { "arm,sbsa-uart", &sbsa_uart_driver },
    { "ns16550a", &ns16550_driver },
    { "ns16550", &ns16550_driver },
    { "snps,dw-apb-uart", &ns16550_driver },
};

struct client {
    struct list_node link;
    struct domain *domain;
    void (*input)(struct domain *d, char c);
    uint32_t calls; /* of input under way: atomic, console_detach() waits for 0 */
    bool cr; /* a CR came and waits for what follows */
    uint8_t len;
    uint8_t shown; /* of these on the screen, at the cursor */
    char line[LINE_MAX];
};

struct console {
    struct spinlock lock; /* LOCK_RANK_CONSOLE */
    bool log_grew;      /* since VIRQ_CON_RING was last sent */
    uint32_t log_end;   /* number of the next byte of the log */
    uint32_t log_first; /* of the oldest that was not cleared, at most CONSOLE_LOG_SIZE before */
    char log[CONSOLE_LOG_SIZE];
    bool panicked;
    const struct console_driver *drv;
    struct uart_regs regs;
    struct fdt_node node; /* of the device in the host's tree */
    struct list clients; /* in order of attachment */
    struct client *last; /* wrote last */
    struct client *open; /* see above */
    struct client *owner; /* has the input */
    uint32_t switch_keys; /* Ctrl-A pressed in a row, not delivered yet */
};

static void console_lock(struct console *c)
{
    if (!c->panicked) {
        spin_lock(&c->lock);
    }
}

static void console_unlock(struct console *c)
{
    if (!c->panicked) {
        spin_unlock(&c->lock);
    }
}

/* --- Output; all with the lock held -------------------------------------- */

static void emit_locked(struct console *c, const char *buf, size_t size)
{
    if (c->drv == NULL) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        c->drv->putc(&c->regs, buf[i]);
    }
}

static void emit_text_locked(struct console *c, const char *text)
{
    emit_locked(c, text, strlen(text));
}

static void break_line_locked(struct console *c)
{
    if (c->open != NULL) {
        emit_text_locked(c, "\r\n");
        c->open->shown = 0;
        c->open = NULL;
    }
}

static void log_keep_locked(struct console *c, char byte)
{
    c->log[c->log_end++ % CONSOLE_LOG_SIZE] = byte;
    if (c->log_end - c->log_first > CONSOLE_LOG_SIZE) {
        c->log_first = c->log_end - CONSOLE_LOG_SIZE;
    }
}

static void log_locked(struct console *c, const char *line)
{
    for (const char *p = line; *p != '\0'; p++) {
        log_keep_locked(c, *p);
    }
    log_keep_locked(c, '\n');
    c->log_grew = true;
    break_line_locked(c);
    emit_text_locked(c, "loam: ");
    emit_text_locked(c, line);
    emit_text_locked(c, "\r\n");
}

/* Shows what cl has; the cursor then is behind it. */
static void show_locked(struct console *c, struct client *cl)
{
    if (c->open != cl) {
        break_line_locked(c);
        /* The operator's own terminal has no names in front of lines, the others' text has. */
        if (!cl->domain->config.control) {
            emit_text_locked(c, "(");
            emit_text_locked(c, cl->domain->config.name);
            emit_text_locked(c, ") ");
        }
        c->open = cl;
    }
    emit_locked(c, cl->line + cl->shown, cl->len - cl->shown);
    cl->shown = cl->len;
}

static void forget_line(struct client *cl)
{
    cl->len = 0;
    cl->shown = 0;
}

static void end_line_locked(struct console *c, struct client *cl)
{
    show_locked(c, cl);
    emit_text_locked(c, "\r\n");
    forget_line(cl);
    c->open = NULL;
}

static void put_locked(struct console *c, struct client *cl, char byte)
{
    if (byte == '\n') {
        cl->cr = false; /* CR LF is one line end */
        end_line_locked(c, cl);
        return;
    }
    if (cl->len >= LINE_MAX - 1) { /* room for a CR that waits and this */
        show_locked(c, cl);
        forget_line(cl);
    }
    if (cl->cr) {
        cl->line[cl->len++] = '\r';
    }
    cl->cr = byte == '\r';
    if (!cl->cr && byte != '\0') {
        cl->line[cl->len++] = byte;
    }
}

static struct client *client_find_locked(struct console *c, const struct domain *d)
{
    struct client *cl;

    if (c->last != NULL && c->last->domain == d) {
        return c->last;
    }
    list_for_each_entry(&c->clients, cl, link) {
        if (cl->domain == d) {
            c->last = cl;
            return cl;
        }
    }
    return NULL;
}

void console_log(struct hv *hv, const char *line)
{
    struct console *c = hv->console;

    if (c == NULL || (c->panicked && c->drv == NULL)) {
        arch_early_print(hv, "loam: ");
        arch_early_print(hv, line);
        arch_early_print(hv, "\r\n");
        return;
    }
    console_lock(c);
    log_locked(c, line);
    console_unlock(c);
    if (hv->domains[0] != NULL) {
        /* The caller may hold any lock: the event is sent from console_poll(). */
        pcpu_raise(this_pcpu(), PCPU_WORK_CONSOLE);
    }
}

uint32_t console_log_first(struct hv *hv)
{
    struct console *c = hv->console;

    console_lock(c);
    uint32_t first = c->log_first;
    console_unlock(c);
    return first;
}

size_t console_log_read(struct hv *hv, uint32_t *at, char *buf, size_t size)
{
    struct console *c = hv->console;
    size_t n = 0;

    console_lock(c);
    if (c->log_end - *at > c->log_end - c->log_first) {
        *at = c->log_first; /* overwritten, cleared, or never there */
    }
    for (; n < size && *at != c->log_end; n++) {
        buf[n] = c->log[(*at)++ % CONSOLE_LOG_SIZE];
    }
    console_unlock(c);
    return n;
}

void console_log_clear(struct hv *hv, uint32_t to)
{
    struct console *c = hv->console;

    console_lock(c);
    if (c->log_end - to < c->log_end - c->log_first) {
        c->log_first = to;
    }
    console_unlock(c);
}

void console_write(struct domain *d, const char *buf, size_t size)
{
    struct console *c = d->hv->console;

    console_lock(c);
    struct client *cl = client_find_locked(c, d);
    if (unlikely(cl == NULL)) {
        console_unlock(c);
        if (console_attach(d, NULL)) {
            return;
        }
        console_lock(c);
        cl = client_find_locked(c, d);
    }
    if (cl != NULL) {
        for (size_t i = 0; i < size; i++) {
            put_locked(c, cl, buf[i]);
        }
        if (cl == c->owner && cl->len != 0) {
            show_locked(c, cl);
        }
    }
    console_unlock(c);
}

void console_panic(struct hv *hv)
{
    if (hv->console != NULL) {
        hv->console->panicked = true;
    }
}

/* --- Who there is -------------------------------------------------------- */

int console_init(struct hv *hv)
{
    struct console *c = mem_alloc(hv, sizeof(*c));

    if (c == NULL) {
        return -XEN_ENOMEM;
    }
    c->lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
    c->node = FDT_NONE;
    list_init(&c->clients);
    hv->console = c;
    return 0;
}

void console_set_device(struct hv *hv, const struct console_driver *drv, struct uart_regs regs)
{
    struct console *c = hv->console;

    console_lock(c);
    c->drv = drv;
    c->regs = regs;
    drv->init(&c->regs);
    console_unlock(c);
}

/*
 * How the registers of node, at addr, are spaced (binding 8250, where absent
 * values mean bytes side by side). False: they cannot be.
 */
static bool read_spacing(const struct fdt *host, struct fdt_node node, uint64_t addr, uint64_t size,
                         struct uart_regs *out)
{
    uint32_t shift = fdt_u32_or(host, node, "reg-shift", 0);
    uint32_t width = fdt_u32_or(host, node, "reg-io-width", 1);

    if (shift > REG_SHIFT_MAX || !(width == 1 || width == 2 || width == 4) ||
        width > 1u << shift || !IS_ALIGNED(addr, width) || size < UINT64_C(8) << shift) {
        return false;
    }
    out->shift = (uint8_t)shift;
    out->width = (uint8_t)width;
    return true;
}

bool console_probe(struct hv *hv, const struct fdt *host)
{
    struct fdt_node node = fdt_stdout(host);
    const struct console_driver *drv = NULL;
    struct uart_regs regs = { 0 };
    uint64_t addr, size;

    for (size_t i = 0; i < ARRAY_SIZE(drivers) && drv == NULL; i++) {
        drv = fdt_compatible(host, node, drivers[i].compatible) ? drivers[i].drv : NULL;
    }
    if (drv == NULL || fdt_reg_translated(host, node, 0, &addr, &size) ||
        (drv->spaced && !read_spacing(host, node, addr, size, &regs))) {
        return false;
    }
    regs.base = arch_map_device(hv, hpa(addr), size);
    if (regs.base == 0) {
        return false;
    }
    hv->console->node = node;
    console_set_device(hv, drv, regs);
    return true;
}

/* The next client after cl that takes input, cl itself if there is no other, NULL if none. */
static struct client *next_owner_locked(struct console *c, struct client *cl)
{
    struct list_node *n = cl != NULL ? &cl->link : &c->clients.head;

    for (size_t i = list_length(&c->clients) + 1; i > 0; i--) {
        n = n->next;
        if (n == &c->clients.head) {
            n = n->next;
        }
        if (n == &c->clients.head) {
            break; /* empty */
        }
        struct client *it = list_entry(n, struct client, link);
        if (it->input != NULL) {
            return it;
        }
    }
    return NULL;
}

static void set_owner_locked(struct console *c, struct client *cl)
{
    char line[DOMAIN_NAME_MAX + 64];

    c->owner = cl;
    if (cl != NULL) {
        fmt_print(line, sizeof(line), "input to %s (Ctrl-A three times: next)",
                  cl->domain->config.name);
        log_locked(c, line);
        if (cl->len != 0) {
            show_locked(c, cl); /* its prompt */
        }
    }
}

int console_attach(struct domain *d, void (*input)(struct domain *d, char c))
{
    struct console *c = d->hv->console;
    struct client *cl = mem_alloc(d->hv, sizeof(*cl));

    if (cl == NULL) {
        return -XEN_ENOMEM;
    }
    cl->domain = d;
    cl->input = input;
    console_lock(c);
    bool exists = client_find_locked(c, d) != NULL;
    if (!exists) {
        list_push_back(&c->clients, &cl->link);
        if (input != NULL && (c->owner == NULL || d->config.control)) {
            set_owner_locked(c, cl);
        }
    }
    console_unlock(c);
    if (exists) {
        mem_free(d->hv, cl, sizeof(*cl));
        return -XEN_EEXIST;
    }
    return 0;
}

void console_detach(struct domain *d)
{
    struct console *c = d->hv->console;

    console_lock(c);
    struct client *cl = client_find_locked(c, d);
    if (cl != NULL) {
        if (cl->len != 0 || c->open == cl) {
            end_line_locked(c, cl);
        }
        if (c->owner == cl) {
            struct client *next = next_owner_locked(c, cl);
            set_owner_locked(c, next != cl ? next : NULL);
        }
        list_remove(&cl->link);
        c->last = NULL;
    }
    console_unlock(c);
    if (cl == NULL) {
        return;
    }
    /* Another CPU may be handing a byte to d: a short call, and no new one begins. */
    while (atomic_load_acquire(&cl->calls) != 0) {
        arch_cpu_relax();
    }
    mem_free(d->hv, cl, sizeof(*cl));
}

/* --- Input --------------------------------------------------------------- */

static void console_interrupt(struct hv *hv, struct pcpu *p)
{
    struct console *c = hv->console;

    c->drv->ack_irq(&c->regs);
    pcpu_raise(p, PCPU_WORK_CONSOLE);
}

void console_start_input(struct hv *hv, const struct fdt *host)
{
    struct console *c = hv->console;
    uint32_t irq;
    bool edge;

    if (c->drv == NULL) {
        return;
    }
    if (irq_of_node(hv, host, c->node, 0, &irq, &edge) ||
        irq_request(hv, irq, edge ? IRQ_EDGE : IRQ_LEVEL, console_interrupt)) {
        log_warn(hv, "console: no interrupt, so no input");
        return;
    }
    console_lock(c);
    c->drv->enable_rx_irq(&c->regs);
    console_unlock(c);
}

/* What one byte from the device leads to. */
struct input {
    struct client *to; /* with a count in `calls`; NULL: nobody gets it */
    uint32_t keys;     /* Ctrl-A that were held back */
    char byte;
};

/* Takes one byte from the device. False: there is none. */
static bool input_next(struct console *c, struct input *in)
{
    console_lock(c);
    int got = c->drv != NULL ? c->drv->getc(&c->regs) : -1;

    in->to = NULL;
    if (got == CTRL_A) {
        if (++c->switch_keys == SWITCH_COUNT) {
            c->switch_keys = 0;
            set_owner_locked(c, next_owner_locked(c, c->owner));
        }
    } else if (got >= 0) {
        in->byte = (char)got;
        in->keys = c->switch_keys;
        c->switch_keys = 0;
        in->to = c->owner;
        if (in->to != NULL) {
            atomic_fetch_add_relaxed(&in->to->calls, 1u);
        }
    }
    console_unlock(c);
    return got >= 0;
}

static void tell_of_log(struct hv *hv)
{
    struct console *c = hv->console;

    console_lock(c);
    bool grew = c->log_grew;
    c->log_grew = false;
    console_unlock(c);
    if (grew) {
        evtchn_global_virq(hv, VIRQ_CON_RING);
    }
}

void console_poll(struct hv *hv)
{
    struct input in;

    tell_of_log(hv);
    while (input_next(hv->console, &in)) {
        struct client *cl = in.to;

        if (cl == NULL) {
            continue;
        }
        for (; in.keys > 0; in.keys--) {
            cl->input(cl->domain, CTRL_A);
        }
        cl->input(cl->domain, in.byte);
        atomic_fetch_sub(&cl->calls, 1u); /* partner: console_detach() */
    }
}
