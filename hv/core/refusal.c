/* SPDX-License-Identifier: MIT */
/*
 * The ring of refused hypercalls: written by whichever CPU refuses, under a lock,
 * because a refusal is rare and a reader wants whole entries.
 *
 * Locks: hv->refusals.lock, taken last but for the console's.
 */
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>

/* Which exit of which vCPU this CPU is at: a note of another one is not about this hypercall. */
static uint64_t exit_of(const struct pcpu *p)
{
    return p->current != NULL ? p->current->exits ^ (uint64_t)p->current->tag << 32 : 0;
}

/* In place of a check: see refuse_unsaid(). */
static const char UNSAID[] = "";

void refusal_say(int rc, const char *check, uint64_t a, uint64_t b)
{
    struct pcpu *p = this_pcpu();
    struct refusal_note *n = &p->refusal;
    uint64_t exit = exit_of(p);

    if (n->check == NULL || n->exit != exit) {
        *n = (struct refusal_note){ .check = check, .rc = rc, .value = { a, b }, .exit = exit };
    }
}

int refuse_unsaid(int rc) { return refuse(rc, UNSAID, 0, 0); }

void refuse_op(uint64_t op) { this_pcpu()->refusal.op = op; }

void refusal_forget(void) { this_pcpu()->refusal.check = NULL; }

void refusal_record(struct vcpu *v, uint64_t hypercall, uint64_t op, int rc)
{
    struct hv *hv = v->domain->hv;
    struct refusal_note *n = &v->pcpu->refusal;
    /* A note that was followed by success, or by another error, is not about this one. */
    struct refusal_note why = n->rc == rc ? *n : (struct refusal_note){ 0 };

    op = n->op != 0 ? n->op : op;
    n->check = NULL;
    n->op = 0;
    if (why.check == UNSAID) {
        return;
    }
    spin_lock(&hv->refusals.lock);
    hv->refusals.ring[hv->refusals.count % REFUSALS_KEPT] = (struct refusal){
        .number = hv->refusals.count,
        .time = arch_time_now(),
        .check = why.check,
        .rc = rc,
        .domain = v->domain->id,
        .vcpu = (uint16_t)v->id,
        .hypercall = hypercall,
        .op = op,
        .value = { why.value[0], why.value[1] },
    };
    hv->refusals.count++;
    spin_unlock(&hv->refusals.lock);
}

bool refusal_read(struct hv *hv, uint64_t number, struct refusal *out)
{
    spin_lock(&hv->refusals.lock);
    bool there = number < hv->refusals.count && hv->refusals.count - number <= REFUSALS_KEPT;
    if (there) {
        *out = hv->refusals.ring[number % REFUSALS_KEPT];
    }
    spin_unlock(&hv->refusals.lock);
    return there;
}

uint64_t refusal_count(struct hv *hv)
{
    spin_lock(&hv->refusals.lock);
    uint64_t count = hv->refusals.count;
    spin_unlock(&hv->refusals.lock);
    return count;
}
