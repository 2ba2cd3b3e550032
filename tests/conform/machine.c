/* SPDX-License-Identifier: MIT */
/* arch/boot.h, arch/irq.h and what a guest is told of the architecture: names and numbers. */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/string.h>

#include "conform.h"

static void the_machine_has_a_name(struct conform *c)
{
    char text[128], cut[8];

    memset(text, 'x', sizeof(text));
    memset(cut, 'x', sizeof(cut));
    arch_describe(c->hv, text, sizeof(text));
    EXPECT(c, text[0] != '\0' && strnlen(text, sizeof(text)) < sizeof(text));
    arch_describe(c->hv, cut, sizeof(cut) - 1);
    EXPECT(c, strnlen(cut, sizeof(cut) - 1) < sizeof(cut) - 1);
    EXPECT(c, cut[sizeof(cut) - 1] == 'x');
    EXPECT(c, strncmp(arch_capabilities(), "xen-3.0-", 8) == 0);
}

static void cpus_are_counted(struct conform *c)
{
    EXPECT(c, c->hv->nr_pcpus != 0 && arch_cpu_count(c->hv) >= c->hv->nr_pcpus);
    for (uint32_t i = 0; i < c->hv->nr_pcpus; i++) {
        NEED(c, c->hv->pcpus[i] != NULL && c->hv->pcpus[i]->id == i);
        EXPECT(c, atomic_load_acquire(&c->hv->pcpus[i]->online));
    }
    EXPECT(c, this_pcpu() == c->hv->pcpus[0]);
}

static void private_ranges_come_to_an_end(struct conform *c)
{
    uint64_t size;
    hpa_t at;
    uint32_t i = 0;

    for (; i < 1000 && arch_private_range(c->hv, i, &at, &size); i++) {
        EXPECT(c, size != 0 && at.a + size > at.a);
    }
    EXPECT(c, i != 0 && i < 1000);
}

static void an_unused_interrupt_does_no_harm(struct conform *c)
{
    uint32_t nr = arch_irq_count(c->hv), irq = nr - 1;
    struct pcpu *p = this_pcpu();
    uint32_t work = atomic_load_relaxed(&p->work);

    NEED(c, arch_irq_first(c->hv) < nr);
    arch_irq_mask(c->hv, irq);
    for (uint32_t i = 0; i < 4; i++) {
        arch_irq_unmask(c->hv, irq, i & 1, c->hv->pcpus[i % c->hv->nr_pcpus]);
        arch_irq_poll(p);
        arch_irq_mask(c->hv, irq);
        arch_irq_poll(p);
    }
    EXPECT(c, atomic_load_relaxed(&p->work) == work);
}

static const struct conform_test tests[] = {
    { "boot: the machine has a name", the_machine_has_a_name, false },
    { "boot: CPUs are counted", cpus_are_counted, false },
    { "boot: private ranges come to an end", private_ranges_come_to_an_end, false },
    { "irq: an unused interrupt does no harm", an_unused_interrupt_does_no_harm, false },
};
const struct conform_group conform_machine = { tests, ARRAY_SIZE(tests) };
