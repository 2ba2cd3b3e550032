/* SPDX-License-Identifier: MIT */
/*
 * Operations of domctl and sysctl that tools have a command for and that there are none of here:
 * refused by name, with the ABI's error and a reason for the operator who tried the command.
 * Whatever else has no row in abi/tables is refused with -ENOSYS and its number.
 */
#include <loam/bits.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <xen/domctl.h>
#include <xen/errno.h>
#include <xen/sysctl.h>

struct absent {
    uint32_t cmd;
    int error; /* without its sign */
    const char *why;
};

static const struct absent domctls[] = {
    { XEN_DOMCTL_sendtrigger, XEN_ENOSYS, "the machines of guests have no buttons" },
    { XEN_DOMCTL_subscribe, XEN_EOPNOTSUPP, "stops are told by VIRQ_DOM_EXC alone" },
    { XEN_DOMCTL_set_target, XEN_EOPNOTSUPP, "no device model runs in a domain of its own" },
    { XEN_DOMCTL_setvnumainfo, XEN_EOPNOTSUPP, "guests have one node" },
    { XEN_DOMCTL_vuart_op, XEN_ENOSYS, "a toolstack's domains have the PV console, no UART" },
    { XEN_DOMCTL_dt_overlay, XEN_EOPNOTSUPP, "the device tree does not change" },
    { XEN_DOMCTL_gdbsx_guestmemio, XEN_ENOSYS, "no debugger's access to guests" },
    { XEN_DOMCTL_gdbsx_pausevcpu, XEN_ENOSYS, "no debugger's access to guests" },
    { XEN_DOMCTL_gdbsx_unpausevcpu, XEN_ENOSYS, "no debugger's access to guests" },
    { XEN_DOMCTL_gdbsx_domstatus, XEN_ENOSYS, "no debugger's access to guests" },
};

static const struct absent sysctls[] = {
    { XEN_SYSCTL_tbuf_op, XEN_ENOSYS, "the trace is printed by a panic, not read by tools" },
    { XEN_SYSCTL_get_pmstat, XEN_EOPNOTSUPP, "the firmware has the CPUs' frequencies" },
    { XEN_SYSCTL_cpu_hotplug, XEN_EOPNOTSUPP, "CPUs stay on: xl cpupool-cpu-remove idles one" },
    { XEN_SYSCTL_pm_op, XEN_EOPNOTSUPP, "the firmware has the CPUs' frequencies" },
    { XEN_SYSCTL_page_offline_op, XEN_EOPNOTSUPP, "pages are not taken out of use" },
    { XEN_SYSCTL_coverage_op, XEN_EOPNOTSUPP, "not built to count lines" },
    { XEN_SYSCTL_livepatch_op, XEN_ENOSYS, "the hypervisor is not patched while it runs" },
    { XEN_SYSCTL_dt_overlay, XEN_EOPNOTSUPP, "the device tree does not change" },
};

static int refuse_absent(const struct ctl *c, const struct absent *list, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        if (list[i].cmd == c->cmd) {
            return refuse(-list[i].error, list[i].why, c->domain, c->cmd);
        }
    }
    return refuse(-XEN_ENOSYS, "no such operation", c->cmd, c->version);
}

int domctl_op_absent(struct ctl *c, void *arg)
{
    return refuse_absent(c, domctls, ARRAY_SIZE(domctls));
}

int sysctl_op_absent(struct ctl *c, void *arg)
{
    return refuse_absent(c, sysctls, ARRAY_SIZE(sysctls));
}
