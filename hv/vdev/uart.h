/* SPDX-License-Identifier: MIT */
/*
 * What the emulated UARTs share: their way to the host console and the ring
 * in which what was typed waits. A kind's own structure begins with struct vuart
 * and is known by its row in the table of vuart.c.
 */
#ifndef VDEV_UART_H
#define VDEV_UART_H

#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/lock.h>
#include <loam/mmio.h>
#include <loam/vuart.h>

/* More than the FIFO that the guest is shown, so that pasted text is not lost. A power of two. */
#define VUART_RX_RING 512

struct vuart;

struct vuart_model {
    size_t size;           /* of the kind's structure */
    uint64_t mmio_size;
    struct mmio_ops ops;   /* data: the kind's structure */
    void (*reset)(struct vuart *u); /* registers, all zero before */
    /* Takes a byte from the console. Context: u->lock held. */
    void (*input_locked)(struct vuart *u, uint8_t byte);
};

extern const struct vuart_model vpl011_model;
extern const struct vuart_model vns16550_model;

struct vuart {
    struct spinlock lock; /* LOCK_RANK_VDEV: the registers, too */
    const struct vuart_model *model;
    struct domain *domain;
    uint32_t virq;
    bool level;                /* [lock] of the interrupt */
    uint32_t rx_head, rx_tail; /* [lock] bytes ever put, taken */
    uint8_t rx[VUART_RX_RING];
};

/* Sets the level of u's interrupt. */
void vuart_set_level_locked(struct vuart *u, bool level);

/* Bytes that wait. Without the lock: as flags that guests poll show it, soon out of date. */
static inline uint32_t vuart_rx_count(const struct vuart *u)
{
    return atomic_load_relaxed(&u->rx_head) - atomic_load_relaxed(&u->rx_tail);
}

/* Context: less than VUART_RX_RING wait. */
static inline void vuart_rx_put_locked(struct vuart *u, uint8_t byte)
{
    u->rx[u->rx_head % VUART_RX_RING] = byte;
    atomic_store_relaxed(&u->rx_head, u->rx_head + 1);
}

/* Context: some wait. */
static inline uint8_t vuart_rx_take_locked(struct vuart *u)
{
    uint8_t byte = u->rx[u->rx_tail % VUART_RX_RING];

    atomic_store_relaxed(&u->rx_tail, u->rx_tail + 1);
    return byte;
}

static inline void vuart_rx_drop_locked(struct vuart *u)
{
    atomic_store_relaxed(&u->rx_tail, u->rx_head);
}

/* A byte that the guest sends, to the console at once. Context: u->lock not held. */
static inline void vuart_send(struct vuart *u, uint8_t byte)
{
    char c = (char)byte;

    console_write(u->domain, &c, 1);
}

#endif
