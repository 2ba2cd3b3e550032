/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked list, intrusive and circular.
 *
 * A struct list is the head; a struct list_node sits in each element. A node
 * is either in one list or off all of them: list_node_init and list_remove make
 * it point at itself, and list_node_is_linked tells the two apart. No locks: the
 * owner of the list serialises its users.
 */
#ifndef LOAM_LIST_H
#define LOAM_LIST_H

#include <loam/compiler.h>
#include <loam/types.h>

struct list_node {
    struct list_node *prev;
    struct list_node *next;
};

struct list {
    struct list_node head;
};

/* The element that holds a node. */
#define list_entry(node, type, member) container_of(node, type, member)

static inline void list_node_init(struct list_node *n)
{
    n->prev = n;
    n->next = n;
}

static inline void list_init(struct list *l) { list_node_init(&l->head); }
static inline bool list_node_is_linked(const struct list_node *n) { return n->next != n; }
static inline bool list_is_empty(const struct list *l) { return l->head.next == &l->head; }

/* Put n, which is in no list, right before (after) the linked node or head at. */
static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

static inline void list_insert_after(struct list_node *at, struct list_node *n)
{
    list_insert_before(at->next, n);
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
    list_insert_after(&l->head, n);
}

static inline void list_push_back(struct list *l, struct list_node *n)
{
    list_insert_before(&l->head, n);
}

/* Take n off its list; harmless for a node that is in none. */
static inline void list_remove(struct list_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_node_init(n);
}

/* First (last) node, NULL if the list is empty. */
static inline struct list_node *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->head.prev;
}

/* Take the first node off, NULL if the list is empty. */
static inline struct list_node *list_pop_front(struct list *l)
{
    struct list_node *n = list_first(l);
    if (n) {
        list_remove(n);
    }
    return n;
}

/* Move all nodes of from, in order, to the end of l; from is empty afterwards. */
static inline void list_splice_back(struct list *l, struct list *from)
{
    if (list_is_empty(from)) {
        return;
    }
    struct list_node *first = from->head.next;
    struct list_node *last = from->head.prev;
    first->prev = l->head.prev;
    l->head.prev->next = first;
    last->next = &l->head;
    l->head.prev = last;
    list_init(from);
}

/* Number of nodes, by walking. */
static inline size_t list_length(const struct list *l)
{
    size_t nr = 0;
    for (const struct list_node *n = l->head.next; n != &l->head; n = n->next) {
        nr++;
    }
    return nr;
}

/* Visit each node (struct list_node *it); the body must not take it off. */
#define list_for_each(list, it) \
    for ((it) = (list)->head.next; (it) != &(list)->head; (it) = (it)->next)

/* The same, and the body may take it, but not tmp, off the list. */
#define list_for_each_safe(list, it, tmp) \
    for ((it) = (list)->head.next, (tmp) = (it)->next; (it) != &(list)->head; \
         (it) = (tmp), (tmp) = (it)->next)

/* Visit each element (it: pointer to the type that holds member). */
#define list_for_each_entry(list, it, member) \
    for ((it) = list_entry((list)->head.next, __typeof__(*(it)), member); \
         &(it)->member != &(list)->head; \
         (it) = list_entry((it)->member.next, __typeof__(*(it)), member))

/* The same, and the body may take it, but not tmp, off the list. */
#define list_for_each_entry_safe(list, it, tmp, member) \
    for ((it) = list_entry((list)->head.next, __typeof__(*(it)), member), \
        (tmp) = list_entry((it)->member.next, __typeof__(*(it)), member); \
         &(it)->member != &(list)->head; \
         (it) = (tmp), (tmp) = list_entry((it)->member.next, __typeof__(*(it)), member))

#endif
