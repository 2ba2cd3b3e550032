/* SPDX-License-Identifier: MIT */
/*
 * xen_version: which ABI this is, and who made it (Xen public header version.h).
 *
 * Loam reports the release whose ABI it speaks; its own name stands in the
 * extra version, which tools print behind it.
 */
#include <arch/boot.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/plan.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <xen/errno.h>
#include <xen/version.h>
#include <xen/xen.h>

#define CHANGESET "unavailable"

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
    str_copy(a->text, sizeof(a->text), CHANGESET);
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

/* The boot options are for those who chose them. */
static const char *command_line(const struct hc *hc)
{
    return hc_is_control(hc) ? plan_options(hc->d->hv) : "";
}

int version_op_commandline(struct hc *hc, void *arg)
{
    struct xen_commandline *a = arg;

    memset(a, 0, sizeof(*a));
    str_copy(a->text, sizeof(a->text), command_line(hc));
    return 0;
}

/*
 * Bytes into a struct xen_varbuf, as many as there are: without a buffer that is asked for. Returns
 * how many.
 */
static int put_varbuf(struct hc *hc, const void *bytes, size_t size)
{
    struct guest_ref at = { hc->arg[1] };
    struct xen_varbuf head;

    hc->ret = size;
    if (at.addr == 0) {
        return 0;
    }
    int rc = guest_copy_from(hc->v, &head, at, sizeof(head));

    if (rc == 0 && head.len < size) {
        rc = refuse_unsaid(-XEN_ENOBUFS); /* the caller tries with more */
    }
    at.addr += sizeof(head);
    return rc != 0 ? rc : guest_copy_to(hc->v, at, bytes, size);
}

static int put_text(struct hc *hc, const char *text) { return put_varbuf(hc, text, strlen(text)); }

/* What follows the header and the name of the note, both padded to 4 bytes (gABI 5). */
int version_op_build_id(struct hc *hc, void *arg)
{
    size_t size;
    const uint32_t *note = arch_image_note(&size);
    uint32_t name_words = size < 12 ? 0 : (note[0] + 3) / 4;

    if (size < 12 + name_words * 4 + 1 || size - 12 - name_words * 4 < note[1]) {
        return refuse(-XEN_ENODATA, "the image has no build id", size, 0);
    }
    return put_varbuf(hc, note + 3 + name_words, note[1]);
}

int version_op_extraversion2(struct hc *hc, void *arg) { return put_text(hc, LOAM_EXTRAVERSION); }
int version_op_capabilities2(struct hc *hc, void *arg) { return put_text(hc, arch_capabilities()); }
int version_op_changeset2(struct hc *hc, void *arg) { return put_text(hc, CHANGESET); }
int version_op_commandline2(struct hc *hc, void *arg) { return put_text(hc, command_line(hc)); }
