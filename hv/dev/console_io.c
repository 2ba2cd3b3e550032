/* SPDX-License-Identifier: MIT */
/*
 * console_io: a domain with the Xen interfaces writes to the host console
 * (Xen public header xen.h, CONSOLEIO_write).
 */
#include <loam/console.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/vcpu.h>

/* Longest text of one call; the rest of a longer one is dropped. */
#define WRITE_MAX 4096

/* Arguments: 0 the operation, 1 bytes, 2 their address. */
int console_op_write(struct hc *hc, void *arg)
{
    char buf[256];
    uint64_t left = MIN(hc->arg[1], (uint64_t)WRITE_MAX);
    struct guest_ref from = { hc->arg[2] };

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
