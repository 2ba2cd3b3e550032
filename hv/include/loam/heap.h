/* SPDX-License-Identifier: MIT */
/*
 * Intrusive priority queue: a leftist heap with parent pointers.
 *
 * The smallest key comes first; equal keys come in no particular order. A
 * node's rank is the length of its right spine, and rank(left) >= rank(right), so
 * that each right spine has at most log2(n + 1) nodes. The rank of a node that
 * is in no heap is 0. The key of a node in a heap must not be changed: remove it,
 * set the key, insert it. No locks: the owner of the heap serialises its users.
 */
#ifndef LOAM_HEAP_H
#define LOAM_HEAP_H

#include <loam/types.h>

struct heap_node {
    struct heap_node *parent;
    struct heap_node *left;
    struct heap_node *right;
    uint32_t rank;
    uint64_t key;
};

struct heap {
    struct heap_node *root;
};

static inline void heap_init(struct heap *h) { h->root = NULL; }
static inline void heap_node_init(struct heap_node *n) { n->rank = 0; }
static inline bool heap_is_empty(const struct heap *h) { return h->root == NULL; }
static inline bool heap_node_is_queued(const struct heap_node *n) { return n->rank != 0; }

/* The node with the smallest key, NULL if the heap is empty. O(1). */
static inline struct heap_node *heap_min(const struct heap *h) { return h->root; }

/* Add n, which is in no heap and whose key is set. O(log n). */
void heap_insert(struct heap *h, struct heap_node *n);

/* Take n, which is in h, off. O(log n). */
void heap_remove(struct heap *h, struct heap_node *n);

/* Take the node with the smallest key off, NULL if the heap is empty. O(log n). */
struct heap_node *heap_pop(struct heap *h);

/* Take the node with the smallest key off and add n, which is in no heap. Cheap if it is alone. */
static inline void heap_replace_min(struct heap *h, struct heap_node *n)
{
    struct heap_node *old = h->root;

    if (likely(old->left == NULL)) { /* a leftist heap: it has no right child either */
        n->parent = NULL;
        n->left = NULL;
        n->right = NULL;
        n->rank = 1;
        old->rank = 0;
        h->root = n;
        return;
    }
    heap_remove(h, old);
    heap_insert(h, n);
}

#endif
