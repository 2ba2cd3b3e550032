/* SPDX-License-Identifier: MIT */
/*
 * What schedulers with queues do alike: which of those that wait can run on a
 * CPU, which idle CPU should run one of them, and getting hold of a state that is
 * still loaded somewhere.
 *
 * Soft affinity lives here: who may choose gets an idle CPU that it likes, leaves one that
 * it does not like for it (sched_pull()), and goes behind others there. It never keeps a CPU idle.
 * Lock: pool->lock, held by sched.c around everything here.
 */
#include <loam/atomic.h>
#include <loam/hv.h>

#include "private.h"

struct cpumask sched_idle_for(const struct cpupool *pool, const struct sched_vcpu *sv)
{
    struct cpumask idle = cpumask_and(&pool->idle, &sv->affinity);

    if (unlikely(!cpumask_is_empty(&sv->preferred))) {
        struct cpumask liked = cpumask_and(&idle, &sv->preferred);

        return cpumask_is_empty(&liked) ? idle : liked;
    }
    return idle;
}

bool sched_is_held(struct cpupool *pool, struct sched_vcpu *sv)
{
    const struct pcpu *holder = atomic_load_relaxed(&sv->vcpu->loaded_on);

    if (likely(holder == NULL)) {
        return false;
    }
    bool stays = sched_may_run_on(sv, holder) && !sched_is_better_elsewhere(pool, sv, holder);
    if (sched_ask_holder(sv, stays ? PCPU_WORK_SCHED : PCPU_WORK_SAVE) == NULL) {
        return false;
    }
    if (stays) {
        cpumask_clear(&pool->idle, holder->id);
    }
    return true;
}

/* The node after n, depth first: below it if `down`, else past what is below it. NULL: the end. */
static struct heap_node *next_node(struct heap_node *n, bool down)
{
    if (down && n->left != NULL) {
        return n->left; /* a leftist heap has no right child without a left one */
    }
    while (n->parent != NULL && (n == n->parent->right || n->parent->right == NULL)) {
        n = n->parent;
    }
    return n->parent != NULL ? n->parent->right : NULL;
}

/* True when an idle CPU that sv likes shall run it instead of p, which lets go of its state. */
static bool leave_to_liked(const struct cpupool *pool, struct sched_vcpu *sv, struct pcpu *p)
{
    if (likely(!sched_is_better_elsewhere(pool, sv, p))) {
        return false;
    }
    if (atomic_load_relaxed(&sv->vcpu->loaded_on) == p) {
        atomic_store_relaxed(&sv->vcpu->wanted, true);
        pcpu_raise(p, PCPU_WORK_SAVE);
    }
    return true;
}

struct sched_vcpu *sched_find(struct cpupool *pool, const struct heap *heap, struct pcpu *p,
                              uint64_t limit, uint64_t dislike)
{
    struct sched_vcpu *best = NULL;
    bool down;

    for (struct heap_node *n = heap->root; n != NULL; n = next_node(n, down)) {
        down = false;
        if (n->key >= limit) {
            continue;
        }
        struct sched_vcpu *sv = sched_from_node(n);
        uint64_t cost = n->key + (sched_likes(sv, p) ? 0 : dislike);
        bool fits = !leave_to_liked(pool, sv, p) && sched_can_load(pool, sv, p);

        /* Those below are not before it, but for one that likes p. */
        down = !fits || cost != n->key;
        if (fits && cost < limit) {
            best = sv;
            limit = cost;
        }
    }
    return best;
}

void sched_use_idle(struct cpupool *pool, struct sched_vcpu *sv, const struct cpumask *idle)
{
    struct pcpu *p = atomic_load_relaxed(&sv->vcpu->loaded_on);

    if (p != NULL && cpumask_test(idle, p->id)) {
        /* It runs sv, or loads another over it; only in between sv would wait for it. */
        atomic_store_relaxed(&sv->vcpu->wanted, true);
    } else {
        if (sched_is_held(pool, sv)) {
            return;
        }
        /* Where it ran last its caches may be warm. */
        p = sv->vcpu->pcpu;
        if (!cpumask_test(idle, p->id)) {
            p = pool->hv->pcpus[cpumask_first(idle)];
        }
    }
    cpumask_clear(&pool->idle, p->id);
    pcpu_kick(p, PCPU_WORK_SCHED);
}

void sched_spread(struct cpupool *pool, const struct heap *heap)
{
    for (struct heap_node *n = heap->root; n != NULL; n = next_node(n, true)) {
        const struct sched_vcpu *sv = sched_from_node(n);
        struct cpumask idle = sched_idle_for(pool, sv);

        /* Whose state is held will be placed when it is not any more. */
        if (!cpumask_is_empty(&idle) && atomic_load_relaxed(&sv->vcpu->loaded_on) == NULL) {
            uint32_t cpu = cpumask_first(&idle);

            cpumask_clear(&pool->idle, cpu);
            pcpu_kick(pool->hv->pcpus[cpu], PCPU_WORK_SCHED);
            return;
        }
    }
}

void sched_pull(struct cpupool *pool, const struct pcpu *p)
{
    for (uint32_t w = 0; w < CPUMASK_WORDS; w++) {
        for (uint64_t bits = pool->cpus.w[w]; bits != 0; bits &= bits - 1) {
            struct pcpu *other = pool->hv->pcpus[w * 64 + ctz64(bits)];
            const struct vcpu *v = other->sched->current;

            if (v != NULL && !sched_likes(v->sched, other) && sched_likes(v->sched, p) &&
                sched_may_run_on(v->sched, p)) {
                pcpu_kick(other, PCPU_WORK_SCHED);
                return;
            }
        }
    }
}
