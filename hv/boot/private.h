/* SPDX-License-Identifier: MIT */
/*
 * What the files of boot/ share: the plan, its domains, and who may use which
 * range of the machine.
 *
 *   plan.c          /chosen -> list of struct plan_domain; starts their jobs
 *   plan_props.c    the properties of a domain node
 *   plan_modules.c  its modules and static memory
 *   plan_pools.c    CPU pools and affinity
 *   claims.c        machine ranges: no two owners, inside RAM
 *   ranges.c        sets of ranges
 *   dom0.c          /chosen -> the control domain
 *   dom0_options.c  the boot options that speak of it
 *   dom0_devices.c  what it gets of the machine
 *   dom0_fdt.c      its device tree
 *   passthrough.c   devices of the host that a domain gets
 *   plan_pci.c      PCI devices of the host that a domain gets
 *   build.c         plan -> running domain, in steps (a job)
 *   build_memory.c  its RAM: found, mapped, cleared, filled
 *   guest_fdt.c     its device tree
 *   restart.c       what happens when it stops
 *
 * The plan is written on the boot CPU by plan_parse() and constant after it,
 * but for the members of struct plan_domain below "life", which belong to its job:
 * a domain has one job, queued or running at most once.
 */
#ifndef BOOT_PRIVATE_H
#define BOOT_PRIVATE_H

#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>
#include <loam/hv.h>
#include <loam/iommu.h>
#include <loam/job.h>
#include <loam/list.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <loam/types.h>

#include <arch/guest.h>

#define LARGE_PAGE (2 * MIB)
#define PLAN_BANKS_MAX 16 /* ranges of RAM of one domain */
#define PLAN_RAM_MAX 64 /* ranges of RAM of the machine */
#define PLAN_NAME_BUCKETS 128
#define PLAN_SPIS_MAX 988 /* Arm IHI 0069 2.2: INTIDs 32..1019; others have no more */
#define PLAN_PARTIAL_MAX (512 * KIB) /* partial device tree */

enum plan_module_kind { PLAN_KERNEL, PLAN_RAMDISK, PLAN_PARTIAL, PLAN_MODULES };

enum plan_restart { RESTART_NEVER, RESTART_ON_CRASH, RESTART_ALWAYS };

/* Bytes [start, start + size) of the machine's address space. size 0: none. */
struct plan_range {
    uint64_t start;
    uint64_t size;
};

/* A set of addresses in whole pages: ranges in ascending order, which do not touch. */
struct plan_ranges {
    struct plan_range *r;
    uint32_t nr, max;
};

struct plan_affinity {
    uint32_t vcpu;
    struct cpumask cpus;
};

/* A CPU pool that boot made. */
struct plan_pool {
    struct list_node link;
    struct cpupool *pool; /* NULL until it is made */
    uint32_t phandle; /* 0: none */
    enum sched_id sched;
    struct cpumask cpus;
    char name[DOMAIN_NAME_MAX];
};

/* A page range of the host's devices as a domain sees it. */
struct plan_device_range {
    uint64_t hpa, size, gpa;
};

struct plan_device_irq {
    uint32_t irq;
    bool edge;
    bool spare; /* of a device that the control domain has not, but may give away */
};

/* What a partial device tree gives to a domain. */
struct plan_devices {
    struct fdt tree; /* opened on `blob` */
    void *blob; /* our copy of the module */
    size_t blob_size;
    struct plan_device_range *range;
    uint32_t nr_ranges, ranges_max;
    struct plan_device_irq *irq;
    uint32_t nr_irqs, irqs_max;
    bool does_dma; /* some device reaches memory by itself */
};

/* A PCI device of the host for a domain. */
struct plan_pci {
    struct pci_dev *dev;
    uint32_t irq; /* of its line, 0: none */
    bool guarded; /* by an IOMMU, which knows it as */
    struct iommu_stream stream;
};

/* What the boot options say of the control domain; 0: nothing. */
struct dom0_options {
    uint64_t memory, memory_min, memory_max; /* bytes */
    uint32_t vcpus_min, vcpus_max;
    bool pin; /* vCPU n to CPU n */
    bool no_extended; /* no address space for foreign pages in its tree */
    bool no_reboot; /* a crash stops the machine, it is not reset */
};

/* What the control domain gets of the machine, beside RAM. */
struct plan_dom0 {
    struct dom0_options options;
    struct fdt_node intc; /* in the host's tree */
    uint32_t *hidden; /* nodes of the host's tree that it does not see: offsets, ascending */
    uint32_t nr_hidden, hidden_max;
    struct plan_ranges map; /* device memory, at its own addresses */
    struct plan_ranges spare; /* of devices that it has not, but may give away */
    struct plan_device_irq *irq; /* under their own numbers */
    uint32_t nr_irqs, irqs_max;
    struct plan_range grants; /* where its grant frames can be, */
    struct plan_range extended; /* and pages of others: unused addresses. size 0: none */
};

/* One domain that boot builds. */
struct plan_domain {
    struct hv *hv;
    struct list_node link; /* in plan->domains */
    struct list_node name_link; /* in plan->names */
    struct fdt_node node;
    const char *node_name; /* in the host's tree, "" for the control domain: its node is /chosen */
    const char *bootargs; /* in the host's tree, or NULL */
    struct domain_config config;
    const struct plan_pool *pool;
    uint64_t memory; /* bytes */
    bool vuart;
    uint8_t restart; /* enum plan_restart */
    struct plan_range module[PLAN_MODULES];
    struct kernel_image image;
    struct plan_range *statics;
    uint32_t nr_statics, statics_max;
    struct plan_affinity *affinity;
    uint32_t nr_affinity, affinity_max;
    struct plan_devices *devices; /* NULL: none */
    struct plan_pci *pci;
    uint32_t nr_pci, pci_max;
    struct plan_dom0 *dom0; /* NULL: not the control domain */

    /* life */
    struct domain *domain; /* with the creator's reference; NULL while there is none */
    struct build *build; /* while it is being built */
    struct job job;
    struct plan_life {
        struct timer delay; /* before a restart */
        ns_t started;
        uint32_t restarts; /* done so far */
        uint32_t short_runs; /* in a row that ended soon */
        bool again; /* build it anew after it was taken apart */
        bool ended; /* atomic: plan_domain_end(), it stays down whatever the policy says */
    } life;
};

enum claim_kind { CLAIM_KERNEL, CLAIM_RAMDISK, CLAIM_PARTIAL, CLAIM_STATIC, CLAIM_DEVICE };

/* Who uses a range of the machine: RAM as pages out of the allocator, or a device. */
struct plan_claim {
    uint64_t start, end; /* bytes, end exclusive */
    const struct plan_domain *owner;
    enum claim_kind kind;
    uint32_t users; /* a module may serve several domains */
};

struct plan {
    struct hv *hv;
    struct fdt host; /* the blob stays mapped and reserved */
    struct fdt_node chosen;
    struct list domains;
    struct list names[PLAN_NAME_BUCKETS];
    struct list pools;
    struct plan_domain *dom0; /* the control domain, also in `domains`; NULL: there is none */
    const char *options; /* the hypervisor's own, in the host's tree; NULL: none */
    struct plan_claim *claim; /* sorted by start, no overlap */
    uint32_t nr_claims, claims_max;
    struct plan_range ram[PLAN_RAM_MAX];
    uint32_t nr_ram;
    uint64_t *irqs; /* bitmap of interrupts given to domains */
    uint32_t nr_irqs;
    uint32_t nr_domains;
    bool parsing; /* plan_parse() is at work */
    struct list_node *next; /* [hv->lock] the domain whose first build has not begun, or the head */
    uint32_t alive; /* atomic: domains that run, are built or wait for a restart */
    struct build *filler; /* atomic: the one build that takes RAM now, so that none takes half */
};

/* --- plan.c ------------------------------------------------------------- */

/*
 * Says what is wrong with a domain: "/chosen[/NODE][/CHILD]: PROP: reason".
 * child may be NULL. Returns -XEN_EINVAL for the caller to pass on.
 */
int plan_warn(const struct plan_domain *pd, const char *child, const char *prop, const char *fmt,
              ...) __printf(4, 5);

/*
 * Starts the first build of the next domain, if any is left. At boot as many
 * are built at a time as there are CPUs, so that the first runs soon.
 */
void plan_start_next(struct plan *plan);

/*
 * Makes room for one more element of *array (nr used of *max elements of
 * size bytes). Errors: -XEN_ENOMEM, nothing changed.
 */
int __must_check plan_grow(struct hv *hv, void **array, uint32_t nr, uint32_t *max, size_t size);

/* pd is in the plan from now on, as its first domain or its last. */
void plan_domain_add(struct plan_domain *pd, bool first);
void plan_domain_free(struct plan_domain *pd);

/* --- plan_props.c ------------------------------------------------------- */

/* Reads the properties of pd's node. Errors: -XEN_EINVAL, said why. */
int __must_check plan_props_read(struct plan_domain *pd);

/* --- plan_modules.c ----------------------------------------------------- */

/*
 * Modules, static memory and vCPU nodes of pd; what it returns with is
 * claimed. Errors: as above; -XEN_ENOMEM, also said.
 */
int __must_check plan_modules_read(struct plan_domain *pd);
int __must_check dom0_modules_read(struct plan_domain *pd);
int __must_check plan_statics_read(struct plan_domain *pd);
/* Looks at the kernel's first bytes. */
int __must_check plan_kernel_check(struct plan_domain *pd);
/* Copies bytes of a module. */
void plan_module_copy(struct hv *hv, void *buf, uint64_t start, size_t size);
/* /chosen itself has modules: they are the control domain's. */
bool dom0_is_wanted(const struct fdt *host, struct fdt_node chosen);
/* Gives what both claimed back. */
void plan_modules_release(struct plan_domain *pd);

/* --- plan_pools.c ------------------------------------------------------- */

/* Makes the default pool and those of /chosen. Errors: -XEN_ENOMEM. */
int __must_check plan_pools_make(struct plan *plan);
const struct plan_pool *plan_pool_find(const struct plan *plan, uint32_t phandle);
/* "0-3,5" to a mask of CPUs. Errors: -XEN_EINVAL. */
int __must_check cpu_list_parse(const char *text, struct cpumask *out);
/* The xen,vcpu children of pd. */
int __must_check plan_affinity_read(struct plan_domain *pd);

/* --- claims.c ----------------------------------------------------------- */

/* Collects the machine's RAM from its tree. */
void claims_init(struct plan *plan);
bool claims_is_ram(const struct plan *plan, struct plan_range range);
bool claims_touch_ram(const struct plan *plan, struct plan_range range);

/*
 * Claims range for pd; a failure is said as one of property prop of child.
 * RAM is taken out of the frame allocator, page by page; a module may be
 * claimed again as the same for another domain.
 */
int __must_check claims_add(struct plan_domain *pd, const char *child, const char *prop,
                            enum claim_kind kind, struct plan_range range);
/* The first claim that touches range, NULL: none. */
const struct plan_claim *claims_find(const struct plan *plan, struct plan_range range);
/*
 * Ranges of the hypervisor's own devices: interrupt controllers, IOMMUs, PCI, console. *i is 0 at
 * first and counts up; false: no more.
 */
bool claims_private_range(const struct plan *plan, uint32_t *i, struct plan_range *out);
/* range touches one of them. */
bool claims_is_private(const struct plan *plan, const struct plan_range *range);
/* Undoes one claims_add(); RAM is free then, or kept while plan_parse() is at work. */
void claims_remove(struct plan *plan, struct plan_range range);

/* --- passthrough.c ------------------------------------------------------ */

/* Reads and checks pd's partial device tree, if it has one. */
int __must_check passthrough_read(struct plan_domain *pd);
void passthrough_release(struct plan_domain *pd);
/* Maps devices and assigns interrupts. Errors: said. */
int __must_check passthrough_map(struct plan_domain *pd);
/* Copies the nodes into the root of the guest's tree. */
void passthrough_fdt(const struct plan_domain *pd, struct fdt_writer *w);

/* --- ranges.c ----------------------------------------------------------- */

/* Adds / takes out [start, end), widened to whole pages. Errors: -XEN_ENOMEM, nothing changed. */
int __must_check ranges_add(struct hv *hv, struct plan_ranges *s, uint64_t start, uint64_t end);
int __must_check ranges_cut(struct hv *hv, struct plan_ranges *s, uint64_t start, uint64_t end);
/* The lowest start >= from, aligned, of [start, start + size) that s has nothing of; false: none
 * ends by `limit`. */
bool ranges_hole(const struct plan_ranges *s, uint64_t from, uint64_t limit, uint64_t align,
                 uint64_t size, uint64_t *start);
bool ranges_touch(const struct plan_ranges *s, const struct plan_range *r);
void ranges_free(struct hv *hv, struct plan_ranges *s);

/* --- dom0.c, dom0_options.c, dom0_devices.c, dom0_fdt.c ------------------ */

/*
 * Plans the control domain, if /chosen has modules for it: before other domains are read, so
 * that its modules and its name are its own. What is wrong is said; then there is none.
 */
void dom0_plan(struct plan *plan);
/* Gives it what no other domain of the plan has: when all of them are read. */
void dom0_plan_machine(struct plan *plan);
/* Reads options in the form of a command line; prop is where they stand. */
void dom0_options_read(struct plan_domain *pd, const char *prop, const char *text);
/* Finds memory, interrupts and hidden nodes. Errors: -XEN_ENOMEM, else said. */
int __must_check dom0_devices_find(struct plan_domain *pd);
/* A step of build.c: maps and routes them. */
int dom0_devices_map(struct build *b);
void dom0_free(struct plan_domain *pd);
/* Is the node one that the control domain sees? */
bool dom0_sees(const struct plan_domain *pd, struct fdt_node node);
size_t dom0_fdt_size(const struct plan_domain *pd);
void dom0_fdt_write(const struct build *b, struct fdt_writer *w);
/* It has stopped, and with it the machine. */
__noreturn void dom0_stopped(struct plan_domain *pd, uint32_t reason);

/* --- plan_pci.c --------------------------------------------------------- */

/* Finds, checks and takes the PCI devices that pd's node names. */
int __must_check plan_pci_read(struct plan_domain *pd);
void plan_pci_release(struct plan_domain *pd);
/*
 * Resets and prepares them, from number *cursor on, which is 0 at first: each once, because a
 * prepared device counts as used. Errors: -XEN_EAGAIN one is being reset.
 */
int __must_check plan_pci_prepare(struct plan_domain *pd, uint64_t *cursor);
/* Gives them, prepared, to the domain. Errors: said. */
int __must_check plan_pci_build(struct plan_domain *pd);

/* --- build.c ------------------------------------------------------------ */

struct build_bank {
    uint64_t gpa, size;
};

/* A domain on its way into being; exists while its job builds it. */
struct build {
    struct plan_domain *pd;
    struct domain *d;
    uint32_t step; /* index in the table of steps */
    int error; /* why it is being taken apart again, 0: it is not */
    uint64_t cursor; /* of the step: bytes or index done */
    uint32_t order; /* largest block of RAM that may still be found */
    uint32_t range; /* of static memory: index */
    uint32_t nr_banks;
    struct build_bank bank[PLAN_BANKS_MAX];
    uint64_t kernel_gpa, ramdisk_gpa, fdt_gpa, shared_gpa;
    void *fdt;
    size_t fdt_max, fdt_size;
};

/* Says that prop could not be had. Returns -XEN_EINVAL. */
int build_fail(const struct build *b, const char *prop, int rc);
/* Queues the job that builds pd and starts it. */
void build_start(struct plan_domain *pd);

/* --- build_memory.c: steps of build.c; 0 done, -XEN_EAGAIN more, else failed -------- */

/* Is there enough now? First, so that a domain that cannot be costs little. */
int build_ram_check(struct build *b);
int build_ram(struct build *b);
/* b takes no RAM any more; idempotent. */
void build_ram_leave(struct build *b);
int build_ram_clear(struct build *b);
int build_place(struct build *b);
int build_kernel(struct build *b);
int build_kernel_code(struct build *b);
int build_ramdisk(struct build *b);
int build_fdt_store(struct build *b);

/* --- guest_fdt.c -------------------------------------------------------- */

/* Parts that every domain's tree has: for dom0_fdt.c. */
void guest_fdt_memory(const struct build *b, struct fdt_writer *w);
/* The node of RAM kept for vCPUs, in an open /reserved-memory. */
void guest_fdt_shared(const struct build *b, struct fdt_writer *w);
#define HYPERVISOR_REGS_MAX 2
/* regs: what /hypervisor names, the first is for grant frames. */
void guest_fdt_hypervisor(const struct domain *d, struct fdt_writer *w,
                          const struct plan_range *regs, uint32_t nr, uint32_t intc_phandle);

/* Bytes of RAM that the vCPUs of pd share with the hypervisor, whole pages; 0: none. */
size_t guest_shared_size(const struct plan_domain *pd);
/* Bytes that are enough for the tree of pd. */
size_t guest_fdt_size(const struct plan_domain *pd);
/* Writes the tree to b->fdt, its size to b->fdt_size. Errors: said. */
int __must_check guest_fdt_write(struct build *b);

/* --- restart.c ---------------------------------------------------------- */

/* One step of taking pd's domain apart. 0: done, -XEN_EAGAIN: more. */
int plan_domain_teardown(struct plan_domain *pd);
/* pd will not run again: powers the machine off when nothing else will. */
void plan_domain_over(struct plan_domain *pd);

#endif
