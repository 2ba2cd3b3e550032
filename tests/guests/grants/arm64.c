/* SPDX-License-Identifier: MIT */
/*
 * grants: a guest that lets another map pages of it, or one that maps them, until it is destroyed.
 *
 *   to=D    grants its pages to domain D, references FIRST_REF and on
 *   of=D    maps those of domain D, as soon as it grants them, looks at what is in them, and keeps
 *           them mapped
 *
 * Numbers and structures: Xen's public headers xen.h, memory.h, grant_table.h.
 */

#include "guest.h"

#define HC_MEMORY_OP 12
#define HC_GRANT_TABLE_OP 20
#define MEM_ADD_TO_PHYSMAP 7
#define SPACE_GRANT_TABLE 1
#define GRANT_MAP 0
#define DOMID_SELF 0x7ff0
#define ENTRY_PERMIT_ACCESS 1
#define MAP_HOST 2

enum { FIRST_REF = 8, NR_PAGES = 4, PAGE = 4096 };

/* Where xl's guests have nothing: their grant region, which device trees tell of. */
#define TABLE_AT 0x38000000ul
#define PAGES_AT 0x38100000ul

struct add_to_physmap {
    u16 domain, size;
    u32 space;
    u64 index, gfn;
};

struct grant_entry {
    u16 flags, domain;
    u32 frame;
};

struct map_grant {
    u64 address;
    u32 flags, ref;
    u16 domain;
    short status;
    u32 handle;
    u64 bus_address;
};

static u8 pages[NR_PAGES][PAGE] __attribute__((aligned(4096)));

static u8 content(u64 page) { return (u8)(0xa0 + page); }

static void grant_to(u64 domain)
{
    struct add_to_physmap a = { DOMID_SELF, 0, SPACE_GRANT_TABLE, 0, TABLE_AT / PAGE };
    volatile struct grant_entry *table = (void *)TABLE_AT;

    if (hypercall(HC_MEMORY_OP, MEM_ADD_TO_PHYSMAP, (u64)&a, 0) != 0) {
        crash();
    }
    for (u32 i = 0; i < NR_PAGES; i++) {
        memset(pages[i], content(i), PAGE);
        table[FIRST_REF + i].domain = (u16)domain;
        table[FIRST_REF + i].frame = (u32)((u64)pages[i] / PAGE);
        __asm__ volatile("dmb ish" ::: "memory"); /* the entry is whole before it counts */
        table[FIRST_REF + i].flags = ENTRY_PERMIT_ACCESS;
    }
}

/* False: it is not granted yet. */
static bool map_one(u64 domain, u32 i)
{
    struct map_grant m = { .address = PAGES_AT + i * (u64)PAGE, .flags = MAP_HOST,
                           .ref = FIRST_REF + i, .domain = (u16)domain };

    return hypercall(HC_GRANT_TABLE_OP, GRANT_MAP, (u64)&m, 1) == 0 && m.status == 0;
}

static void map_of(u64 domain)
{
    for (u32 i = 0; i < NR_PAGES; i++) {
        while (!map_one(domain, i)) {
            timer_in(10000);
            wait_for_irq();
            timer_off();
        }
        if (*(volatile u8 *)(PAGES_AT + i * (u64)PAGE + PAGE - 1) != content(i)) {
            crash();
        }
    }
}

int main(void)
{
    timer_enable();
    if (option("to", 0) != 0) {
        grant_to(option("to", 0));
    }
    if (option("of", 0) != 0) {
        map_of(option("of", 0));
    }
    for (;;) {
        wait_for_irq();
    }
}
