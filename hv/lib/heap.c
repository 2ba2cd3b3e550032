/* SPDX-License-Identifier: MIT */
/*
 * Leftist heap: insert, pop and remove are all one merge and a walk upward.
 *
 * Merging descends the right spines of two heaps, which have at most
 * log2(n + 1) nodes each. The walk upward restores ranks and stops at the first
 * node whose rank stays; the ranks it changes grow with each step, so that it,
 * too, takes O(log n) steps however deep the tree is on its left.
 */
#include <loam/heap.h>

static uint32_t rank(const struct heap_node *n) { return n ? n->rank : 0; }

/* Restore order of children and rank from n upward. */
static void fix_up(struct heap_node *n)
{
    for (; n; n = n->parent) {
        if (rank(n->left) < rank(n->right)) {
            struct heap_node *left = n->left;
            n->left = n->right;
            n->right = left;
        }
        uint32_t now = rank(n->right) + 1;
        if (now == n->rank) {
            return;
        }
        n->rank = now;
    }
}

/*
 * Merge the heaps a and b (either may be NULL) into the place *slot below
 * parent, and restore the ranks from the lowest changed node up to the root.
 */
static void merge(struct heap_node **slot, struct heap_node *parent, struct heap_node *a,
                  struct heap_node *b)
{
    while (a && b) {
        if (b->key < a->key) {
            struct heap_node *n = a;
            a = b;
            b = n;
        }
        *slot = a;
        a->parent = parent;
        /* Never fix_up's early stop: the spine above the seam changes as a whole. */
        a->rank = 0;
        parent = a;
        slot = &a->right;
        a = a->right;
    }
    struct heap_node *rest = a ? a : b;
    *slot = rest;
    if (rest) {
        rest->parent = parent;
    }
    fix_up(parent);
}

void heap_insert(struct heap *h, struct heap_node *n)
{
    n->left = NULL;
    n->right = NULL;
    n->rank = 1;
    merge(&h->root, NULL, h->root, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *parent = n->parent;
    struct heap_node **slot = &h->root;

    if (parent) {
        slot = parent->left == n ? &parent->left : &parent->right;
    }
    merge(slot, parent, n->left, n->right);
    n->rank = 0;
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *n = h->root;

    if (n) {
        heap_remove(h, n);
    }
    return n;
}
