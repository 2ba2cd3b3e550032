/* SPDX-License-Identifier: MIT */
/*
 * What domains cost their toolstack: the bench guest as the control domain makes some, fills them,
 * maps their pages, and takes them apart again; then a thousand. And what a domain and a
 * vCPU take of the hypervisor's memory.
 */
#include "xen.h"

enum { INTERFACE_VERSION = 0x15, SYSCTL_PHYSINFO = 3 };
enum domctl_op { CREATE = 1, DESTROY = 2, MAX_MEM = 11, MAX_VCPUS = 15, SET_POOL = 86 };
enum memory_op { DECREASE = 1, POPULATE = 6, ADD_TO_PHYSMAP = 7, REMOVE = 15, ADD_BATCH = 23 };
enum { CDF_HVM = 1, CDF_HAP = 2, GIC_V3 = 2, NEXT_FREE_DOMID = 0x7ff4 };
enum { NR_MEASURED = 8, NR_SMALL = 256, MANY = 1000, PAGE_KIB = 4, POOL_BYTES = 1 << 20 };

#define RAM_GFN 0x40000ull
#define LARGE_GFN 0x40200ull /* the next 2 MiB */

struct sysctl_physinfo {
    uint32_t cmd;
    uint32_t interface_version;
    uint32_t cpus_and_nodes[10];
    uint64_t total_pages;
    uint64_t free_pages;
    uint8_t rest[128];
};

struct domctl {
    uint32_t cmd;
    uint32_t interface_version;
    uint16_t domain;
    uint16_t pad[3];
    union {
        struct {
            uint32_t ssidref;
            uint8_t handle[16];
            uint32_t flags;
            uint32_t iommu_opts;
            uint32_t max_vcpus;
            uint32_t max_evtchn_port;
            int32_t max_grant_frames;
            int32_t max_maptrack_frames;
            uint32_t grant_opts;
            uint32_t vmtrace_size;
            uint32_t cpupool_id;
            uint8_t gic_version;
            uint16_t tee_type;
            uint32_t nr_spis;
            uint32_t clock_frequency;
        } create;
        uint32_t max_vcpus;
        uint64_t bytes; /* paging pool; max_mem in KiB */
        uint8_t size[128];
    } u;
};

struct reservation {
    uint64_t extents;
    uint64_t nr_extents;
    uint32_t order;
    uint32_t flags;
    uint16_t domid;
};

static struct sysctl_physinfo physinfo;
static struct domctl domctl;
static uint64_t gfns[NR_SMALL];
static uint16_t domids[MANY];
static uint8_t window[GUEST_PAGE] __attribute__((aligned(GUEST_PAGE)));

static long memory_op(enum memory_op op, void *arg)
{
    return hypercall(HC_MEMORY_OP, op, (uint64_t)arg, 0);
}

void map_space(unsigned int space, uint64_t index, void *page)
{
    struct {
        uint16_t domid, size;
        uint32_t space;
        uint64_t index, gpfn;
    } add = { DOMID_SELF, 0, space, index, (uint64_t)page / GUEST_PAGE };

    expect("add_to_physmap", (uint64_t)memory_op(ADD_TO_PHYSMAP, &add), 0);
}

static uint64_t free_pages(void)
{
    physinfo.cmd = SYSCTL_PHYSINFO;
    physinfo.interface_version = INTERFACE_VERSION;
    expect("physinfo", (uint64_t)hypercall(HC_SYSCTL, (uint64_t)&physinfo, 0, 0), 0);
    return physinfo.free_pages;
}

static void prepare(enum domctl_op op, uint16_t domain)
{
    for (unsigned int i = 0; i < sizeof(domctl.u.size); i++) {
        domctl.u.size[i] = 0;
    }
    domctl.cmd = op;
    domctl.interface_version = INTERFACE_VERSION;
    domctl.domain = domain;
}

static long call(void) { return hypercall(HC_DOMCTL, (uint64_t)&domctl, 0, 0); }

static void prepare_create(void)
{
    prepare(CREATE, NEXT_FREE_DOMID);
    domctl.u.create.handle[0] = 1;
    domctl.u.create.flags = CDF_HVM | CDF_HAP;
    domctl.u.create.max_vcpus = 1;
    domctl.u.create.max_evtchn_port = 1023;
    domctl.u.create.max_grant_frames = 1;
    domctl.u.create.max_maptrack_frames = 1;
    domctl.u.create.grant_opts = 1;
    domctl.u.create.gic_version = GIC_V3;
}

/* A domain with one vCPU, all of it measured as `row`; its domid. */
#define CREATE_WITH_VCPU(row) \
    ({ \
        prepare_create(); \
        INTERVAL_BEGIN(row); \
        long created_ = call(); \
        uint16_t id_ = domctl.domain; \
        prepare(MAX_VCPUS, id_); \
        domctl.u.max_vcpus = 1; \
        long filled_ = call(); \
        INTERVAL_END(row); \
        expect("createdomain", (uint64_t)created_, 0); \
        expect("max_vcpus", (uint64_t)filled_, 0); \
        id_; \
    })

#define DESTROY_MEASURED(row, id) \
    do { \
        prepare(DESTROY, id); \
        INTERVAL_BEGIN(row); \
        long gone_ = call(); \
        INTERVAL_END(row); \
        expect("destroydomain", (uint64_t)gone_, 0); \
    } while (0)

static void set_sizes(uint16_t id)
{
    prepare(SET_POOL, id);
    domctl.u.bytes = POOL_BYTES;
    expect("paging pool", (uint64_t)call(), 0);
    prepare(MAX_MEM, id);
    domctl.u.bytes = 16 << 10;
    expect("max_mem", (uint64_t)call(), 0);
}

static void populate(uint16_t id)
{
    struct reservation r = { (uint64_t)gfns, NR_SMALL, 0, 0, id };
    long done;

    for (unsigned int i = 0; i < NR_SMALL; i++) {
        gfns[i] = RAM_GFN + i;
    }
    INTERVAL_BEGIN(ROW_POPULATE_256);
    done = memory_op(POPULATE, &r);
    INTERVAL_END(ROW_POPULATE_256);
    expect("populate 256 pages", (uint64_t)done, NR_SMALL);
    gfns[0] = LARGE_GFN;
    r = (struct reservation){ (uint64_t)gfns, 1, 9, 0, id };
    INTERVAL_BEGIN(ROW_POPULATE_2M);
    done = memory_op(POPULATE, &r);
    INTERVAL_END(ROW_POPULATE_2M);
    expect("populate 2 MiB", (uint64_t)done, 1);
}

static void map_foreign(uint16_t id)
{
    uint64_t index, place = (uint64_t)window / GUEST_PAGE;
    int32_t error;
    struct {
        uint16_t domid, space, size, foreign;
        uint64_t indices, places, errors;
    } add = {
        DOMID_SELF, SPACE_FOREIGN, 1, id, (uint64_t)&index, (uint64_t)&place, (uint64_t)&error
    };
    struct {
        uint16_t domid;
        uint64_t place;
    } remove = { DOMID_SELF, place };
    long r;

    for (unsigned int i = 0; i < NR_MEASURED; i++) {
        index = RAM_GFN + i;
        error = -1;
        INTERVAL_BEGIN(ROW_FOREIGN_MAP);
        r = memory_op(ADD_BATCH, &add);
        INTERVAL_END(ROW_FOREIGN_MAP);
        expect("map a foreign page", (uint64_t)(r | error), 0);
        expect("a new domain's page is clear", ((volatile uint64_t *)(void *)window)[i], 0);
        INTERVAL_BEGIN(ROW_FOREIGN_REMOVE);
        r = memory_op(REMOVE, &remove);
        INTERVAL_END(ROW_FOREIGN_REMOVE);
        expect("remove a foreign page", (uint64_t)r, 0);
    }
}

static void decrease(uint16_t id)
{
    struct reservation r = { (uint64_t)gfns, 1, 0, 0, id };
    long done;

    gfns[0] = RAM_GFN + 7;
    INTERVAL_BEGIN(ROW_DECREASE);
    done = memory_op(DECREASE, &r);
    INTERVAL_END(ROW_DECREASE);
    expect("decrease_reservation", (uint64_t)done, 1);
    INTERVAL_BEGIN(ROW_POPULATE_1);
    done = memory_op(POPULATE, &r);
    INTERVAL_END(ROW_POPULATE_1);
    expect("populate 1 page", (uint64_t)done, 1);
}

/* As Linux does it: a foreign page takes the place of one that was given back. */
static void give_back_window(void)
{
    struct reservation r = { (uint64_t)gfns, 1, 0, 0, DOMID_SELF };

    gfns[0] = (uint64_t)window / GUEST_PAGE;
    expect("give back the window", (uint64_t)memory_op(DECREASE, &r), 1);
}

static void measure_lives(void)
{
    uint64_t before = 0;

    give_back_window();
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        uint16_t id = CREATE_WITH_VCPU(ROW_CREATE);

        set_sizes(id);
        populate(id);
        map_foreign(id);
        decrease(id);
        DESTROY_MEASURED(ROW_DESTROY_3M, id);
        before = i == 0 ? free_pages() : before;
    }
    delay_us(1000000); /* what a busy CPU put off of the domains' ends */
    /* What a first life leaves cached is no leak; each later one would be. */
    expect("pages that lives cost", before - free_pages() > 8 && before > free_pages(), 0);
}

static void measure_many(void)
{
    uint64_t before = free_pages();

    for (unsigned int i = 0; i < MANY; i++) {
        domids[i] = i < MANY - cfg.iterations ? CREATE_WITH_VCPU(ROW_CREATE_MANY)
                                              : CREATE_WITH_VCPU(ROW_CREATE_LAST);
    }
    print_string("mem: 1000 domains use ");
    print_number((before - free_pages()) * PAGE_KIB);
    print_string(" KiB\n");
    for (unsigned int i = 0; i < MANY; i++) {
        DESTROY_MEASURED(ROW_DESTROY_EMPTY, domids[i]);
    }
}

void run_domains(void)
{
    measure_lives();
    measure_many();
}

void run_objects(void)
{
    uint64_t domain_pages = 0;
    uint64_t vcpu_pages = 0;

    for (unsigned int i = 0; i < NR_MEASURED; i++) {
        uint64_t before = free_pages();
        prepare_create();
        expect("createdomain", (uint64_t)call(), 0);
        uint16_t id = domctl.domain;
        uint64_t between = free_pages();
        prepare(MAX_VCPUS, id);
        domctl.u.max_vcpus = 1;
        expect("max_vcpus", (uint64_t)call(), 0);
        domain_pages += before - between;
        vcpu_pages += between - free_pages();
    }
    print_string("mem: domain created uses ");
    print_number(domain_pages * PAGE_KIB / NR_MEASURED);
    print_string(" KiB, ");
    print_number(vcpu_pages * PAGE_KIB / NR_MEASURED);
    print_string(" KiB per vCPU\n");
}
