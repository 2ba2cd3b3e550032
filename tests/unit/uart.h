/* SPDX-License-Identifier: MIT */
/* A domain with one emulated UART, whose registers a test reads and writes as a guest does. */
#ifndef UART_H
#define UART_H

#include <loam/console.h>
#include <loam/domain.h>
#include <loam/mmio.h>
#include <loam/vcpu.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define BASE UINT64_C(0x22000000)
#define VIRQ FAKE_VIRQ_BASE

struct fixture {
    struct world w;
    struct vcpu *v;
    struct domain *d;
    struct vcpu *vcpus[1];
};

/* False: no memory for the UART. To be ended either way. */
static inline bool begin_kind(struct fixture *f, enum vuart_kind kind)
{
    world_init(&f->w, 1, 16);
    world_inject(&f->w, false);
    f->v = world_guest(&f->w);
    world_inject(&f->w, true);
    f->d = f->v->domain;
    strcpy(f->d->config.name, "dom");
    f->d->config.nr_spis = 1;
    f->d->arch.has_vintc = true;
    f->vcpus[0] = NULL;
    f->d->vcpus = f->vcpus;
    return vuart_create(f->d, kind, gpa(BASE), VIRQ) == 0;
}

static inline void end(struct fixture *f)
{
    vuart_destroy(f->d);
    vuart_destroy(f->d);
    world_guest_end(&f->w, f->v);
    world_fini(&f->w);
}

static inline uint64_t read_sized(struct fixture *f, uint64_t offset, uint32_t size)
{
    const struct mmio_region *r = mmio_find(f->d, gpa(BASE));
    uint64_t value = 0xdead;

    CHECK_EQ(r->ops->read(f->v, r->data, offset, size, &value), MMIO_OK);
    return value;
}

static inline void write_sized(struct fixture *f, uint64_t offset, uint32_t size, uint64_t value)
{
    const struct mmio_region *r = mmio_find(f->d, gpa(BASE));

    CHECK_EQ(r->ops->write(f->v, r->data, offset, size, value), MMIO_OK);
}

/* What somebody at the host's console types for the domain. */
static inline void type(struct fixture *f, const char *text)
{
    f->w.machine.console_input = text;
    console_poll(f->w.hv);
}

/* The level of the UART's interrupt. */
static inline bool line(const struct fixture *f)
{
    return (f->d->arch.level[VIRQ / 64] >> (VIRQ % 64)) & 1;
}

#endif
