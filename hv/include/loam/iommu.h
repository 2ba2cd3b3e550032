/* SPDX-License-Identifier: MIT */
/*
 * IOMMUs: which domain's memory the DMA of a device reaches.
 *
 * A driver (an architecture's) registers each IOMMU that it has found and set up so that
 * nothing passes. A device is known by the stream id that the IOMMU sees. It is
 * attached to one domain, and then reaches what that domain's p2m maps, by the same
 * tables that CPUs walk; or it is attached to none, and reaches nothing.
 *
 * core/iommu.c keeps who is attached. A domain without devices pays for all this one
 * test when its p2m is flushed.
 */
#ifndef LOAM_IOMMU_H
#define LOAM_IOMMU_H

#include <loam/fdt.h>
#include <loam/list.h>
#include <loam/lock.h>
#include <loam/types.h>

struct domain;
struct hv;
struct iommu;

#define IOMMU_SUB 2 /* index in domain.sub[], its row in core/subsystems.c */

/* What a driver does. Each is called with iommu.lock held, and returns when it is done. */
struct iommu_ops {
    /*
     * The stream's DMA is translated by d->p2m from here on. Errors: -XEN_EOPNOTSUPP it cannot
     * walk tables of d's format, -XEN_ERANGE no such stream, -XEN_EIO it is broken, -XEN_ENOMEM.
     */
    int (*attach)(struct iommu *x, uint32_t stream, struct domain *d);
    /*
     * Nothing of the stream passes any more; what has passed is done, nothing of d's map is
     * kept, and what was refused is told.
     */
    void (*detach)(struct iommu *x, uint32_t stream, struct domain *d);
    /* Entries of d's map were made invalid: nobody uses them any more, and what did is done. */
    void (*flush)(struct iommu *x, struct domain *d);
};

struct iommu {
    const struct iommu_ops *ops;
    struct hv *hv;
    struct iommu *next; /* hv->iommus */
    uint32_t phandle; /* of its node: iommus and iommu-map name it */
    hpa_t regs_at; /* its registers: no domain's to have */
    uint64_t regs_size;
    char name[32];
    struct spinlock lock; /* LOCK_RANK_IOMMU; the driver's too */
    struct list attached; /* [lock] */
    ns_t told_since; /* [lock] a second in which some faults were told */
    uint32_t told, untold; /* [lock] how many, and how many not */
    uint32_t told_stream; /* [lock] the last of them */
    uint64_t told_page; /* [lock] */
};

/* A device as its IOMMU knows it. */
struct iommu_stream {
    struct iommu *iommu;
    uint32_t id;
};

/* What a device tried. */
enum iommu_access { IOMMU_READ, IOMMU_WRITE, IOMMU_EXECUTE, IOMMU_ACCESS };

/*
 * Adds x, of which ops, hv, phandle, name and registers are set. It stays for good.
 * Context: boot CPU, nothing passes x.
 */
void iommu_register(struct iommu *x);

/*
 * The stream of a PCI device behind the host bridge `bridge`, by its iommu-map. Errors:
 * -XEN_ENOENT no IOMMU that is driven guards the device.
 */
int __must_check iommu_find_pci(const struct hv *hv, const struct fdt *host, struct fdt_node bridge,
                                uint32_t rid, struct iommu_stream *out);

/*
 * The device reaches d's memory. name (at most 31 characters) is for messages. Context: d does not
 * run yet. Locks: p2m, iommu. Errors: -XEN_EBUSY it is attached already, the driver's.
 */
int __must_check iommu_attach(struct domain *d, const struct iommu_stream *s, const char *name);
/* Devices of d reach nothing any more. Nothing to do is no error. Context: before d's RAM is freed.
 */
void iommu_detach_all(struct domain *d);

/*
 * Entries of d's map were made invalid, as for arch_stage2_flush(). For p2m.c, which
 * asks iommu_guards() first. Context: p2m.lock held.
 */
void iommu_flush(struct domain *d);
/* Some device is attached to d. A macro: struct domain is not known here. */
#define iommu_guards(d) ((d)->sub[IOMMU_SUB] != NULL)

/*
 * For drivers: a device was refused. Told on the console, some a second; `why` in a few
 * words. Context: x->lock held.
 */
void iommu_fault_locked(struct iommu *x, uint32_t stream, enum iommu_access access, uint64_t addr,
                        const char *why);

#endif
