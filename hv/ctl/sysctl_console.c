/* SPDX-License-Identifier: MIT */
/* sysctl: the hypervisor's log, read by a toolstack (Xen public header sysctl.h). */
#include <loam/console.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <xen/sysctl.h>

/* Copies the log from *at on, up to *count bytes; then they say where it ended, how much came. */
static int copy_log(struct ctl *c, struct guest_ref to, uint32_t *at, uint32_t *count)
{
    uint32_t done = 0;
    char buf[256];
    int rc = 0;

    for (size_t n; rc == 0 && done < *count; done += (uint32_t)n) {
        n = console_log_read(c->hc->d->hv, at, buf, MIN(*count - done, (uint32_t)sizeof(buf)));
        if (n == 0) {
            break;
        }
        rc = guest_copy_to(c->hc->v, to, buf, n);
        to.addr += n;
    }
    *count = done;
    return rc;
}

/*
 * From the oldest byte, or from the caller's index if that is still there. Clearing forgets what
 * was read. A caller reads on with the index that it got.
 */
int sysctl_op_readconsole(struct ctl *c, void *arg)
{
    struct xen_sysctl_readconsole *a = arg;
    struct hv *hv = c->hc->d->hv;
    uint32_t at = console_log_first(hv);

    if (a->incremental) {
        at = a->index;
    }
    /* More was never there: a log that grows meanwhile does not make it longer. */
    a->count = MIN(a->count, (uint32_t)CONSOLE_LOG_SIZE);
    int rc = copy_log(c, (struct guest_ref){ a->buffer }, &at, &a->count);

    if (rc == 0) {
        a->index = at;
        if (a->clear) {
            console_log_clear(hv, at);
        }
    }
    return rc;
}
