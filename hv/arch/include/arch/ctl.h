/* SPDX-License-Identifier: MIT */
/*
 * Contract: what a toolstack says and reads of domains and vCPUs in the architecture's own
 * structures (Xen public header arch-<a>.h): struct xen_arch_domainconfig, 16 bytes, and
 * struct vcpu_guest_context.
 */
#ifndef ARCH_CTL_H
#define ARCH_CTL_H

#include <loam/types.h>

struct domain;
struct domain_config;
struct hv;
struct vcpu;

#define ARCH_CONFIG_WORDS 4
#define ARCH_CONTEXT_MAX 512 /* no vcpu_guest_context is larger */

/*
 * Fills c, whose neutral part is set, from a struct xen_arch_domainconfig. Errors: -XEN_EINVAL
 * this machine has no such thing, refuse()d.
 */
int __must_check arch_domain_config(const struct hv *hv, const uint32_t arch[ARCH_CONFIG_WORDS],
                                    struct domain_config *c);
/* The opposite, of what d got. */
void arch_domain_config_of(const struct domain *d, uint32_t arch[ARCH_CONFIG_WORDS]);

/* Of physinfo: kHz of the counter that guests have, and the architecture's XEN_SYSCTL_PHYSCAP_*. */
uint32_t arch_counter_khz(const struct hv *hv);
uint32_t arch_physcaps(const struct hv *hv);

/* sizeof(struct vcpu_guest_context). */
size_t arch_vcpu_context_size(void);
/*
 * Sets the registers of v; *online: it may run. v is on no CPU and does not go onto one.
 * Errors, nothing changed: -XEN_EINVAL a mode that a guest must not be in, refuse()d.
 */
int __must_check arch_vcpu_context_set(struct vcpu *v, const void *context, bool *online);
/* Reads them; the bytes in *context are cleared before. Context as above. */
void arch_vcpu_context_get(struct vcpu *v, bool online, void *context);

#endif
