/* SPDX-License-Identifier: MIT */
/*
 * Whose vector registers are in which hart's hardware (riscv64's vector.c), on a model
 * of harts: their registers, sstatus.VS and vsstatus.VS.
 */
/* Before all others, in place of the fake architecture's. */
#include "../../hv/arch/riscv64/include/arch/impl/regs.h"

#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <stdlib.h>

#include "../../hv/arch/riscv64/csr.h"
#include "unit.h"

/* The CSRs of the hart that executes. */
struct csrs {
    uint64_t sstatus, vsstatus, vlenb;
};
static struct csrs *csr;
#undef csr_read
#undef csr_set
#undef csr_clear
#define csr_read(name) (csr->name)
#define csr_set(name, bits) (csr->name |= (uint64_t)(bits))
#define csr_clear(name, bits) (csr->name &= ~(uint64_t)(bits))

#include "../../hv/arch/riscv64/vector.c"

#define CPUS 3
#define VCPUS 6
#define VLENB 16
#define BYTES (REGISTERS * VLENB)
#define VS SSTATUS_VS

static struct machine machine;
static struct pcpu cpus[CPUS];
static struct domain dom;
static struct vcpu vcpus[VCPUS];
static struct {
    struct csrs csr;
    uint64_t vstart, vcsr, vl, vtype;
    uint8_t v[BYTES];
} hart[CPUS];
static uint32_t at; /* the hart that executes */
static uint32_t loads, saves, warnings;
static bool no_memory;

/* --- The rest of the hypervisor, and the hardware ------------------------------------ */

void *mem_alloc(struct hv *hv, size_t size) { return no_memory ? NULL : calloc(1, size); }
void mem_free(struct hv *hv, void *p, size_t size) { free(p); }
void log_line(struct hv *hv, enum log_level level, const char *fmt, ...) { warnings++; }

/* The hypervisor's own use of V needs its view of it on, and makes it Dirty. */
static void hypervisor_uses(void)
{
    CHECK(csr->sstatus & VS);
    csr->sstatus |= VS;
}

void vector_regs_save(struct vector_regs *r)
{
    hypervisor_uses();
    r->vstart = hart[at].vstart;
    r->vcsr = hart[at].vcsr;
    r->vl = hart[at].vl;
    r->vtype = hart[at].vtype;
    memcpy(r->v, hart[at].v, BYTES);
    saves++;
}

void vector_regs_load(const struct vector_regs *r)
{
    hypervisor_uses();
    hart[at].vstart = r->vstart;
    hart[at].vcsr = r->vcsr;
    hart[at].vl = r->vl;
    hart[at].vtype = r->vtype;
    memcpy(hart[at].v, r->v, BYTES);
    loads++;
}

static void on(uint32_t cpu)
{
    at = cpu;
    csr = &hart[cpu].csr;
}

/* --- The world ------------------------------------------------------------------------ */

static void world(void)
{
    memset(&machine, 0, sizeof(machine));
    memset(cpus, 0, sizeof(cpus));
    memset(vcpus, 0, sizeof(vcpus));
    memset(hart, 0xee, sizeof(hart));
    machine.host.has_vector = true;
    loads = saves = warnings = 0;
    no_memory = false;
    dom = (struct domain){ .hv = &machine.hv };
    for (uint32_t i = 0; i < CPUS; i++) {
        cpus[i].id = i;
        cpus[i].hv = &machine.hv;
        cpus[i].arch.host = &machine.host;
        hart[i].csr = (struct csrs){ .vlenb = VLENB };
        on(i);
        vector_cpu_init(&cpus[i]);
        CHECK_EQ(csr->sstatus & VS, 0);
    }
    for (uint32_t i = 0; i < VCPUS; i++) {
        vcpus[i].id = i;
        vcpus[i].domain = &dom;
        REQUIRE(vector_vcpu_init(&vcpus[i]) == 0);
        vector_vcpu_reset(&vcpus[i]);
    }
}

static void world_end(void)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        vector_vcpu_fini(&vcpus[i]);
    }
}

static void load(uint32_t v, uint32_t cpu)
{
    on(cpu);
    CHECK_EQ(csr->sstatus & VS, 0);
    vcpus[v].pcpu = &cpus[cpu];
    csr->vsstatus = VS;
    if (vcpus[v].arch.rare & RARE_VECTOR) {
        vector_load(&vcpus[v], &cpus[cpu]);
    }
}

static void save(uint32_t v)
{
    if (vcpus[v].arch.rare & RARE_VECTOR) {
        vector_save(&vcpus[v]);
    }
    CHECK_EQ(csr->sstatus & VS, 0);
}

/* The guest executes an instruction of V: false if it is illegal for it. */
static bool guest_uses(uint32_t v, bool changes)
{
    for (uint32_t i = 0; (csr->sstatus & VS) == 0 || (csr->vsstatus & VS) == 0; i++) {
        if (i == 1 || !vector_use(&vcpus[v])) {
            return false;
        }
    }
    if (changes) {
        csr->sstatus |= VS;
        csr->vsstatus |= VS;
    }
    return true;
}

static void guest_writes(uint32_t v, uint8_t value)
{
    CHECK(guest_uses(v, true));
    memset(hart[at].v, value, BYTES);
    hart[at].vtype = hart[at].vl = hart[at].vcsr = hart[at].vstart = value;
}

static bool guest_finds(uint32_t v, uint8_t value)
{
    bool ok = guest_uses(v, false);

    for (uint32_t i = 0; i < BYTES; i++) {
        ok = ok && hart[at].v[i] == value;
    }
    ok = ok && hart[at].vl == value && hart[at].vcsr == value && hart[at].vstart == value;
    return ok && hart[at].vtype == (value == 0 ? VTYPE_VILL : value);
}

/* --- Tests ----------------------------------------------------------------------------- */

TEST(the_first_use_finds_zeros)
{
    world();
    load(0, 0);
    CHECK_EQ(csr->sstatus & VS, 0);
    CHECK(guest_finds(0, 0));
    CHECK_EQ(loads, 1);
    save(0);
    CHECK_EQ(saves, 0);
    world_end();
}

TEST(who_never_uses_it_pays_nothing)
{
    world();
    for (uint32_t i = 0; i < 10; i++) {
        load(1, 0);
        save(1);
        load(0, 0);
        guest_writes(0, 7);
        save(0);
    }
    CHECK_EQ(loads, 1); /* of vCPU 0 */
    CHECK_EQ(vcpus[1].arch.rare, 0);
    world_end();
}

TEST(who_comes_back_to_its_registers_pays_nothing)
{
    world();
    load(0, 0);
    guest_writes(0, 7);
    save(0);
    for (uint32_t i = 0; i < 10; i++) {
        load(0, 0);
        CHECK(guest_finds(0, 7));
        save(0);
    }
    CHECK(loads == 1 && saves == 1);
    world_end();
}

TEST(only_who_changed_them_last_time_gets_them_with_the_rest)
{
    world();
    load(0, 0);
    guest_writes(0, 7);
    save(0);
    load(0, 1);
    CHECK_EQ(loads, 2);
    save(0); /* did not use them: next time they stay in memory */
    load(1, 1);
    guest_writes(1, 8);
    save(1);
    CHECK_EQ(loads, 3);
    load(0, 1);
    CHECK_EQ(loads, 3);
    CHECK_EQ(csr->sstatus & VS, 0);
    CHECK(guest_finds(0, 7));
    save(0);
    world_end();
}

TEST(what_a_hart_still_has_is_old_once_it_changed_elsewhere)
{
    world();
    load(0, 0);
    guest_writes(0, 7);
    save(0);
    load(0, 1);
    guest_writes(0, 8);
    save(0);
    load(0, 0);
    CHECK(guest_finds(0, 8));
    save(0);
    world_end();
}

TEST(off_and_other_instructions_stay_illegal)
{
    world();
    load(0, 0);
    csr->vsstatus = 0;
    CHECK(!guest_uses(0, false));
    CHECK_EQ(loads, 0);
    csr->vsstatus = VS;
    CHECK(guest_uses(0, false));
    CHECK(!vector_use(&vcpus[0])); /* on, and still illegal */
    csr->vsstatus = 0;
    CHECK(!guest_uses(0, false));
    save(0);
    world_end();
}

TEST(a_reset_begins_anew)
{
    world();
    load(0, 0);
    guest_writes(0, 7);
    save(0);
    vector_vcpu_reset(&vcpus[0]);
    load(0, 0);
    CHECK(guest_finds(0, 0));
    save(0);
    world_end();
}

TEST(harts_that_differ)
{
    world();
    CHECK(vector_is_offered(&machine.hv));
    hart[2].csr.vlenb = 2 * VLENB;
    on(2);
    vector_cpu_init(&cpus[2]);
    CHECK_EQ(warnings, 1);
    CHECK(!vector_is_offered(&machine.hv));
    struct vcpu v = { .domain = &dom };
    CHECK_EQ(vector_vcpu_init(&v), 0);
    vector_vcpu_reset(&v);
    csr->vsstatus = VS;
    CHECK(!vector_use(&v));
    vector_vcpu_fini(&v);
    world_end();
}

TEST(memory_is_asked_for_before_it_runs)
{
    world();
    struct vcpu v = { .domain = &dom };
    no_memory = true;
    CHECK_EQ(vector_vcpu_init(&v), -XEN_ENOMEM);
    world_end();
}

static uint32_t state;

static uint32_t chance(uint32_t below)
{
    state = state * 1103515245u + 12345u;
    return (state >> 16) % below;
}

/* vCPUs on any hart in any order, each with what it wrote last. */
TEST(nobody_ever_sees_what_is_not_his)
{
    uint32_t where[CPUS];
    uint8_t wrote[VCPUS] = { 0 };

    world();
    state = 1;
    memset(where, 0xff, sizeof(where));
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t cpu = chance(CPUS), v = where[cpu];

        on(cpu);
        if (v == UINT32_MAX) {
            v = chance(VCPUS);
            bool elsewhere = false;
            for (uint32_t n = 0; n < CPUS; n++) {
                elsewhere = elsewhere || where[n] == v;
            }
            if (elsewhere) {
                continue;
            }
            load(v, cpu);
            where[cpu] = v;
            continue;
        }
        switch (chance(6)) {
        case 0:
            wrote[v] = (uint8_t)(1 + chance(255));
            guest_writes(v, wrote[v]);
            break;
        case 1:
            CHECK(guest_finds(v, wrote[v]));
            break;
        case 2:
            csr->vsstatus = chance(2) ? VS : SSTATUS_VS_CLEAN; /* the guest's own business */
            break;
        case 3:
            save(v);
            where[cpu] = UINT32_MAX;
            if (chance(20) == 0) {
                vector_vcpu_reset(&vcpus[v]);
                wrote[v] = 0;
            }
            break;
        default:
            break;
        }
    }
    CHECK(loads > 100 && saves > 100);
    world_end();
}
