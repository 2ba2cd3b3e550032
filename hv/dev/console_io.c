/* SPDX-License-Identifier: MIT */
/*
 * console_io: a domain with the Xen interfaces writes to the host console; a control domain also
 * reads from it (Xen public header xen.h, CONSOLEIO_write and CONSOLEIO_read).
 *
 * Input for a control domain waits in a ring, VIRQ_CONSOLE tells of it. What does not fit
 * is dropped. The ring is d->console_input, made with d. Lock: d->lock, which may be held
 * over copies.
 */
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/mem.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

/* Longest text of one call; the rest of a longer one is dropped. */
#define WRITE_MAX 4096
#define INPUT_SIZE 1024

struct console_input {
    bool attached; /* to the console. Atomic, stays true */
    uint32_t end;  /* [d->lock] of the bytes that came so far */
    uint32_t next; /* [d->lock] of these the first that was not read */
    char byte[INPUT_SIZE];
};

int console_input_init(struct domain *d)
{
    if (!d->config.control) {
        return 0;
    }
    d->console_input = mem_alloc(d->hv, sizeof(*d->console_input));
    return d->console_input != NULL ? 0 : -XEN_ENOMEM;
}

int console_input_close(struct domain *d)
{
    console_detach(d);
    return 0;
}

void console_input_free(struct domain *d)
{
    mem_free(d->hv, d->console_input, sizeof(*d->console_input));
    d->console_input = NULL;
}

static void input(struct domain *d, char c)
{
    struct console_input *in = d->console_input;

    spin_lock(&d->lock);
    if (in->end - in->next < INPUT_SIZE) {
        in->byte[in->end++ % INPUT_SIZE] = c;
    }
    spin_unlock(&d->lock);
    evtchn_global_virq(d->hv, VIRQ_CONSOLE);
}

/* The first use of the console by a control domain makes it the one that has the input. */
static void attach(struct domain *d)
{
    struct console_input *in = d->console_input;

    if (in == NULL || likely(atomic_load_relaxed(&in->attached))) {
        return;
    }
    /* Another vCPU may be at it, too. Without memory it is tried again the next time. */
    int rc = console_attach(d, input);

    if (rc == 0 || rc == -XEN_EEXIST) {
        atomic_store_relaxed(&in->attached, true);
    }
}

/* Arguments: 0 the operation, 1 bytes, 2 their address. */
int console_op_write(struct hc *hc, void *arg)
{
    char buf[256];
    uint64_t left = MIN(hc->arg[1], (uint64_t)WRITE_MAX);
    struct guest_ref from = { hc->arg[2] };

    attach(hc->d);
    while (left > 0) {
        size_t n = MIN(left, sizeof(buf));
        int rc = guest_copy_from(hc->v, buf, from, n);

        if (rc != 0) {
            return rc;
        }
        console_write(hc->d, buf, n);
        from.addr += n;
        left -= n;
    }
    return 0;
}

/* The bytes that wait, without a gap: up to the end of the ring. */
static uint32_t waiting(const struct console_input *in, uint32_t at, uint64_t max)
{
    uint32_t n = MIN(in->end - at, INPUT_SIZE - at % INPUT_SIZE);

    return (uint32_t)MIN((uint64_t)n, max);
}

/* The same arguments; returns how many bytes there were. */
int console_op_read(struct hc *hc, void *arg)
{
    struct console_input *in = hc->d->console_input;
    struct guest_ref to = { hc->arg[2] };
    uint64_t max = hc->arg[1];
    int rc = 0;

    attach(hc->d);
    spin_lock(&hc->d->lock);
    uint32_t at = in->next;
    for (uint32_t n; rc == 0 && (n = waiting(in, at, max)) != 0;) {
        rc = guest_copy_to(hc->v, to, &in->byte[at % INPUT_SIZE], n);
        to.addr += n;
        max -= n;
        at += n;
    }
    if (rc == 0) {
        hc->ret = at - in->next;
        in->next = at;
    }
    spin_unlock(&hc->d->lock);
    return rc;
}
