/* SPDX-License-Identifier: MIT */
/*
 * Emulated UARTs, whatever their kind: created and destroyed with their domain,
 * what the console has for it handed to them. Registers are in vpl011.c and
 * vns16550.c; what they share is in uart.h.
 *
 * d->sub[VUART_SUB] is the UART from before it is attached to the console
 * until after it is detached, so that input always finds it.
 */
#include <arch/guest.h>
#include <loam/domain.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "uart.h"

static const struct vuart_model *const models[] = {
    [VUART_PL011] = &vpl011_model,
    [VUART_NS16550] = &vns16550_model,
};

void vuart_set_level_locked(struct vuart *u, bool level)
{
    if (level != u->level) {
        u->level = level;
        arch_vintc_set_level(u->domain, u->virq, level);
    }
}

/* From the console: a byte for d. */
static void vuart_input(struct domain *d, char c)
{
    struct vuart *u = d->sub[VUART_SUB];

    spin_lock(&u->lock);
    u->model->input_locked(u, (uint8_t)c);
    spin_unlock(&u->lock);
}

int vuart_create(struct domain *d, enum vuart_kind kind, gpa_t base, uint32_t virq)
{
    const struct vuart_model *m = models[kind];

    if (d->sub[VUART_SUB] != NULL) {
        return -XEN_EEXIST;
    }
    struct vuart *u = mem_alloc(d->hv, m->size);

    if (u == NULL) {
        return -XEN_ENOMEM;
    }
    u->lock = SPINLOCK_INIT(LOCK_RANK_VDEV);
    u->model = m;
    u->domain = d;
    u->virq = virq;
    m->reset(u);
    d->sub[VUART_SUB] = u;
    int rc = console_attach(d, vuart_input);
    if (rc) {
        goto out_free;
    }
    rc = mmio_register(d, base, m->mmio_size, &m->ops, u);
    if (rc) {
        goto out_detach;
    }
    return 0;

out_detach:
    console_detach(d);
out_free:
    d->sub[VUART_SUB] = NULL;
    mem_free(d->hv, u, m->size);
    return rc;
}

void vuart_destroy(struct domain *d)
{
    struct vuart *u = d->sub[VUART_SUB];

    console_detach(d); /* whoever wrote by hypercall is attached without a UART */
    d->sub[VUART_SUB] = NULL;
    if (u != NULL) {
        mem_free(d->hv, u, u->model->size);
    }
}
