/* SPDX-License-Identifier: MIT */
/*
 * The fake machine itself: set-up, the runs of scripted guests, what stops them.
 *
 * Code that cannot return (halt, power off, a CPU that would wait for ever)
 * jumps out of the run in progress to fake_run() or fake_try(). Whatever it
 * held stays held: the world is only good for looking at afterwards.
 */
#include <sanitizer/asan_interface.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/impl/fake.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <loam/vcpu.h>

#include "fake.h"

struct fake_machine *fake_machine;

static void *arena(uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        perror("fake machine: mmap");
        abort();
    }
    return p;
}

void fake_machine_init(struct fake_machine *m, uint64_t ram_size, uint32_t nr_cpus)
{
    m->ram = arena(ram_size);
    m->shadow = arena(ram_size);
    m->ram_size = ram_size;
    m->nr_cpus = nr_cpus;
    m->now = NS_PER_S;
    m->format = (struct stage2_format){
        .levels = 3,
        .index_bits = 9,
        .root_bits = 10,
        .root_order = 1,
        .gpa_bits = 40,
        .block_levels = 1 << 1 | 1 << 2,
    };
    fake_machine = m;
}

void fake_machine_fini(struct fake_machine *m)
{
    __asan_unpoison_memory_region(m->ram, m->ram_size);
    munmap(m->ram, m->ram_size);
    munmap(m->shadow, m->ram_size);
    free(m->unpublished.w);
    free(m->broken.w);
    free(m->cleared.w);
    fake_machine = NULL;
}

void fake_violation(const char *text)
{
    fake_machine->violations++;
    if (fake_machine->violation != NULL) {
        fake_machine->violation(text);
        return;
    }
    fprintf(stderr, "fake machine: %s\n", text);
    abort();
}

void fake_stop(enum fake_stop why)
{
    if (fake_machine->escape == NULL) {
        fprintf(stderr, "fake machine: stopped (%d) outside of a run\n%s", (int)why,
                fake_machine->console);
        abort();
    }
    longjmp(*(jmp_buf *)fake_machine->escape, (int)why);
}

/* Makes the next exit of v. Returns false at the end of its script. */
static bool step(struct vcpu *v, bool *same)
{
    struct fake_script *s = v->arch.script;

    if (v->arch.repeat) {
        struct vm_exit again = { .kind = VM_EXIT_HYPERCALL };

        v->arch.repeat = false;
        *same = vcpu_exit(v, &again);
        return true;
    }
    if (s != NULL && s->after != NULL) {
        s->after(v);
        s->after = NULL;
    }
    if (s != NULL && s->repeat && s->pos == s->nr) {
        s->pos = 0;
    }
    if (s == NULL || s->pos == s->nr) {
        return false;
    }
    const struct fake_step *st = &s->steps[s->pos++];
    struct vm_exit x = st->exit;

    fake_machine->now += st->ran;
    if (st->set_regs) {
        memcpy(v->arch.reg, st->reg, sizeof(st->reg));
    }
    if (st->before != NULL) {
        st->before(v);
    }
    s->after = st->after;
    *same = vcpu_exit(v, &x);
    return true;
}

/* Enters v and what comes after it, for `max_exits` exits. */
static enum fake_stop run_guests(struct pcpu *p, struct vcpu *v, uint32_t max_exits)
{
    for (uint32_t i = 0; i < max_exits; i++) {
        bool same;

        /* A kick or a timer that is due leaves the guest at once. */
        if (fake_irq_is_pending(p)) {
            struct vm_exit irq = { .kind = VM_EXIT_IRQ };

            same = vcpu_exit(v, &irq);
        } else if (!step(v, &same)) {
            return FAKE_STOP_SCRIPT;
        }
        if (!same) {
            v = vcpu_next(p);
        }
    }
    return FAKE_STOP_EXITS;
}

enum fake_stop fake_run(struct pcpu *p, uint32_t max_exits)
{
    void *outer = fake_machine->escape;
    struct pcpu *outer_cpu = fake_machine->cpu;
    jmp_buf here;
    enum fake_stop why = (enum fake_stop)setjmp(here);

    if (why == 0) {
        fake_machine->escape = &here;
        fake_machine->cpu = p;
        fake_machine->idle_polls = 0;
        why = run_guests(p, vcpu_next(p), max_exits);
    }
    fake_machine->escape = outer;
    fake_machine->cpu = outer_cpu;
    return why;
}

int fake_try(void (*fn)(void *arg), void *arg)
{
    void *outer = fake_machine->escape;
    jmp_buf here;
    int why = setjmp(here);

    if (why == 0) {
        fake_machine->escape = &here;
        fn(arg);
    }
    fake_machine->escape = outer;
    return why;
}

void arch_vcpu_enter(struct pcpu *p, struct vcpu *v) { fake_stop(run_guests(p, v, UINT32_MAX)); }
