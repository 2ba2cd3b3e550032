/* SPDX-License-Identifier: MIT */
/*
 * lib/heap.c: random insertions, pops and removals, with the leftist
 * invariants checked after each, and the logarithmic bound on the right spine.
 */
#include <loam/bits.h>
#include <loam/compiler.h>
#include <loam/heap.h>

#include "unit.h"

#define NODES 300

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static uint32_t rank_of(const struct heap_node *n) { return n ? n->rank : 0; }

/* Number of nodes below and including n; counts each broken invariant in *bad. */
static size_t check_tree(const struct heap_node *n, const struct heap_node *parent, size_t *bad)
{
    if (!n) {
        return 0;
    }
    *bad += n->parent != parent;
    *bad += parent && n->key < parent->key;
    *bad += rank_of(n->left) < rank_of(n->right);
    *bad += n->rank != rank_of(n->right) + 1;
    return 1 + check_tree(n->left, n, bad) + check_tree(n->right, n, bad);
}

static void check_heap(const struct heap *h, size_t expected)
{
    size_t bad = 0;

    CHECK_EQ(check_tree(h->root, NULL, &bad), expected);
    CHECK_EQ(bad, 0);
    CHECK(rank_of(h->root) <= ilog2(expected + 1));
}

TEST(empty_and_single)
{
    struct heap h;
    struct heap_node n = { .key = 7 };

    heap_init(&h);
    heap_node_init(&n);
    CHECK(heap_is_empty(&h) && !heap_min(&h) && !heap_pop(&h));
    CHECK(!heap_node_is_queued(&n));
    heap_insert(&h, &n);
    CHECK(heap_min(&h) == &n && heap_node_is_queued(&n) && !heap_is_empty(&h));
    CHECK(heap_pop(&h) == &n);
    CHECK(!heap_node_is_queued(&n) && heap_is_empty(&h));
    heap_insert(&h, &n);
    heap_remove(&h, &n);
    CHECK(heap_is_empty(&h));
}

static void sorted_from(uint64_t (*key)(size_t i))
{
    static struct heap_node nodes[NODES];
    struct heap h;
    uint64_t last = 0;

    heap_init(&h);
    for (size_t i = 0; i < NODES; i++) {
        nodes[i].key = key(i);
        heap_insert(&h, &nodes[i]);
        check_heap(&h, i + 1);
    }
    for (size_t i = NODES; i-- > 0;) {
        struct heap_node *n = heap_pop(&h);
        REQUIRE(n);
        CHECK(n->key >= last);
        last = n->key;
        check_heap(&h, i);
    }
    CHECK(heap_is_empty(&h));
}

static uint64_t ascending(size_t i) { return i; }
static uint64_t descending(size_t i) { return UINT64_MAX - i; }
static uint64_t equal(size_t i) { return i * 0 + 5; }

TEST(pops_in_order)
{
    sorted_from(ascending);
    sorted_from(descending);
    sorted_from(equal);
}

TEST(random_operations)
{
    static struct heap_node nodes[NODES];
    struct heap h;
    uint64_t seed = 42;
    size_t queued = 0;

    heap_init(&h);
    memset(nodes, 0, sizeof(nodes));
    for (int step = 0; step < 20000; step++) {
        struct heap_node *n = &nodes[next_random(&seed) % NODES];
        if (!heap_node_is_queued(n)) {
            n->key = next_random(&seed) % 1000;
            heap_insert(&h, n);
            queued++;
        } else if (next_random(&seed) % 3) {
            heap_remove(&h, n);
            CHECK(!heap_node_is_queued(n));
            queued--;
        } else {
            struct heap_node *least = heap_pop(&h);
            for (size_t i = 0; i < NODES; i++) {
                CHECK(!heap_node_is_queued(&nodes[i]) || nodes[i].key >= least->key);
            }
            queued--;
        }
        check_heap(&h, queued);
    }
}
