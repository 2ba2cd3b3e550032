/* SPDX-License-Identifier: MIT */
/*
 * xen_version: which ABI this is, and who made it (Xen public header version.h).
 *
 * Loam reports the release whose ABI it speaks; its own name stands in the
 * extra version, which tools print behind it.
 */
#include <arch/vcpu.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <xen/errno.h>
#include <xen/version.h>
#include <xen/xen.h>

int version_op_version(struct hc *hc, void *arg)
{
    hc->ret = XEN_ABI_MAJOR << 16 | XEN_ABI_MINOR;
    return 0;
}

int version_op_extraversion(struct hc *hc, void *arg)
{
    struct xen_extraversion *a = arg;

    memset(a, 0, sizeof(*a));
    str_copy(a->text, sizeof(a->text), LOAM_EXTRAVERSION);
    return 0;
}

int version_op_compile_info(struct hc *hc, void *arg)
{
    struct xen_compile_info *a = arg;

    memset(a, 0, sizeof(*a));
    str_copy(a->compiler, sizeof(a->compiler), __VERSION__);
    str_copy(a->compile_by, sizeof(a->compile_by), LOAM_COMPILE_BY);
    return 0;
}

int version_op_capabilities(struct hc *hc, void *arg)
{
    struct xen_capabilities *a = arg;

    memset(a, 0, sizeof(*a));
    str_copy(a->text, sizeof(a->text), arch_capabilities());
    return 0;
}

int version_op_changeset(struct hc *hc, void *arg)
{
    struct xen_changeset *a = arg;

    memset(a, 0, sizeof(*a));
    str_copy(a->text, sizeof(a->text), "unavailable");
    return 0;
}

int version_op_platform_parameters(struct hc *hc, void *arg)
{
    struct xen_platform_parameters *a = arg;

    /* Where the hypervisor starts in a PV guest's address space: there are none here. */
    a->virt_start = 0;
    return 0;
}

int version_op_get_features(struct hc *hc, void *arg)
{
    struct xen_feature_info *a = arg;

    if (a->submap_idx > 0) {
        return refuse(-XEN_EINVAL, "there is one map of features", a->submap_idx, 0);
    }
    uint32_t mapped = hc->d->config.direct_map ? XENFEAT_direct_mapped : XENFEAT_not_direct_mapped;

    a->submap =
        (uint32_t)(BIT(XENFEAT_writable_page_tables) | BIT(XENFEAT_auto_translated_physmap) |
                   BIT(XENFEAT_memory_op_vnode_supported) | BIT(mapped) |
                   (hc->d->config.control ? BIT(XENFEAT_dom0) : 0)) |
        arch_features();
    return 0;
}

int version_op_pagesize(struct hc *hc, void *arg)
{
    hc->ret = PAGE_SIZE;
    return 0;
}

int version_op_guest_handle(struct hc *hc, void *arg)
{
    struct xen_domain_handle *a = arg;

    /* All zero in a boot-time domain. */
    spin_lock(&hc->d->lock);
    memcpy(a->handle, hc->d->handle, sizeof(a->handle));
    spin_unlock(&hc->d->lock);
    return 0;
}

int version_op_commandline(struct hc *hc, void *arg)
{
    struct xen_commandline *a = arg;

    memset(a, 0, sizeof(*a));
    return 0;
}
