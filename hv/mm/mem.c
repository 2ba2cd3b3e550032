/* SPDX-License-Identifier: MIT */
/*
 * Memory for the hypervisor's own objects.
 *
 * A slab is one frame of objects of one size class; its bookkeeping is in the
 * frame's record, so that two objects of 2 KiB fit. Objects that came back are
 * chained by index + 1 in their first two bytes; those never handed out are not
 * touched. A slab with a free object is in its class's list of partial ones; one
 * without any object in use is given back at once. Larger objects are whole frames.
 *
 * Locks: mem_heap.lock for everything; frames.lock is taken inside of it.
 * Next: mm/frame.c.
 */
#include <arch/mmu.h>
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "poison.h"

/* 1360: three to a frame. */
static const uint16_t class_size[MEM_CLASSES] = { 16,  32,  48,  64,  96,   128,  192,
                                                  256, 384, 512, 768, 1024, 1360, 2048 };

#define SLAB_SIZE_MAX 2048

static uint32_t class_of(size_t size)
{
    uint32_t c = 0;

    while (class_size[c] < size) {
        c++;
    }
    return c;
}

static uint16_t objects_per_slab(uint32_t class)
{
    return (uint16_t)(PAGE_SIZE / class_size[class]);
}

static uint64_t pages_of(size_t size) { return ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT; }

int mem_init(struct hv *hv)
{
    mfn_t m = frame_alloc(hv, 0, FRAME_ALLOC_ZERO);

    if (mfn_is_none(m)) {
        return -XEN_ENOMEM;
    }
    hv->mem = frame_map_local(hv, m);
    hv->mem->lock = SPINLOCK_INIT(LOCK_RANK_MEM);
    for (uint32_t c = 0; c < MEM_CLASSES; c++) {
        list_init(&hv->mem->partial[c]);
    }
    return 0;
}

void mem_fini(struct hv *hv)
{
    BUG_ON(hv->mem->used != 0);
    mfn_t m = frame_of(hv, hv->mem);

    frame_unmap(hv, hv->mem);
    frame_free(hv, m, 0);
    hv->mem = NULL;
}

static bool alloc_fails(const struct mem_heap *h)
{
#if CONFIG_DEBUG
    return h->alloc_fails != NULL && h->alloc_fails();
#else
    return false;
#endif
}

/* A slab of the class with a free object; NULL when there is no memory for one. */
static struct frame *find_slab(struct hv *hv, uint32_t class)
{
    struct list *partial = &hv->mem->partial[class];

    if (!list_is_empty(partial)) {
        return list_entry(list_first(partial), struct frame, link);
    }
    mfn_t m = frame_alloc(hv, 0, 0);
    if (mfn_is_none(m)) {
        return NULL;
    }
    struct frame *slab = frame_lookup(hv, m);

    /* The mapping stays as long as the slab. */
    mem_poison(frame_map_local(hv, m), PAGE_SIZE);
    slab->slab.size_class = class & 15;
    hv->mem->frames++;
    list_push_front(partial, &slab->link);
    return slab;
}

/* The address of the slab's first object. */
static char *slab_base(struct hv *hv, const struct frame *slab)
{
    return frame_map_local(hv, frame_mfn(hv, slab));
}

static void *take_object(struct hv *hv, struct frame *slab, size_t size)
{
    uint32_t class = slab->slab.size_class;
    uint16_t index;
    char *p;

    size = MAX(size, sizeof(uint16_t)); /* room for the link */
    if (slab->slab.free_list != 0) {
        index = (uint16_t)(slab->slab.free_list - 1);
        p = slab_base(hv, slab) + (size_t)index * class_size[class];
        mem_unpoison(p, size);
        slab->slab.free_list = *(uint16_t *)(void *)p & 0x1ffu;
    } else {
        index = (uint16_t)slab->slab.fresh++;
        p = slab_base(hv, slab) + (size_t)index * class_size[class];
        mem_unpoison(p, size);
    }
    if (++slab->slab.used == objects_per_slab(class)) {
        list_remove(&slab->link);
    }
    return p;
}

static void put_object(struct hv *hv, struct frame *slab, char *p)
{
    char *base = (char *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);
    uint32_t class = slab->slab.size_class;
    uint32_t index = (uint32_t)(p - base) / class_size[class];

    if (slab->slab.used-- == objects_per_slab(class)) {
        list_push_front(&hv->mem->partial[class], &slab->link);
    }
    *(uint16_t *)(void *)p = (uint16_t)slab->slab.free_list;
    slab->slab.free_list = (index + 1u) & 0x1ff;
    mem_poison(p, class_size[class]);
    if (slab->slab.used == 0) {
        list_remove(&slab->link);
        hv->mem->frames--;
        frame_free(hv, frame_of(hv, base), 0);
    }
}

/* Counts what this CPU took and gave back, for domain_create() and others to say what they cost. */
static void charge(uint64_t bytes)
{
    struct pcpu *p = this_pcpu();

    if (p != NULL) {
        p->mem_bytes += bytes;
    }
}

static void *alloc_small(struct hv *hv, size_t size)
{
    struct mem_heap *h = hv->mem;
    uint32_t class = class_of(size);
    void *p = NULL;

    spin_lock(&h->lock);
    struct frame *slab = find_slab(hv, class);
    if (slab != NULL) {
        p = take_object(hv, slab, size);
        h->used += class_size[class];
        charge(class_size[class]);
    }
    spin_unlock(&h->lock);
    if (p != NULL) {
        memset(p, 0, size);
    }
    return p;
}

static void *alloc_pages(struct hv *hv, uint64_t pages)
{
    mfn_t m = frame_alloc_pages(hv, pages, FRAME_ALLOC_ZERO);

    if (mfn_is_none(m)) {
        return NULL;
    }
    spin_lock(&hv->mem->lock);
    hv->mem->used += pages << PAGE_SHIFT;
    hv->mem->frames += pages;
    charge(pages << PAGE_SHIFT);
    spin_unlock(&hv->mem->lock);
    return frame_map_local(hv, m);
}

void *mem_alloc(struct hv *hv, size_t size)
{
    if (size == 0 || size > MEM_SIZE_MAX || alloc_fails(hv->mem)) {
        return NULL;
    }
    return size <= SLAB_SIZE_MAX ? alloc_small(hv, size) : alloc_pages(hv, pages_of(size));
}

void mem_free(struct hv *hv, void *p, size_t size)
{
    struct mem_heap *h = hv->mem;

    if (p == NULL) {
        return;
    }
    BUG_ON(size == 0 || size > MEM_SIZE_MAX);
    if (size > SLAB_SIZE_MAX) {
        mfn_t m = frame_of(hv, p);

        frame_unmap(hv, p);
        frame_free_pages(hv, m, pages_of(size));
        spin_lock(&h->lock);
        h->used -= pages_of(size) << PAGE_SHIFT;
        h->frames -= pages_of(size);
        charge(-(pages_of(size) << PAGE_SHIFT));
        spin_unlock(&h->lock);
        return;
    }

    struct frame *slab = frame_lookup(hv, frame_of(hv, p));
    spin_lock(&h->lock);
    BUG_ON(slab == NULL || slab->state != FRAME_HV || slab->slab.used == 0 ||
           slab->slab.size_class != class_of(size) ||
           ((uintptr_t)p & ~PAGE_MASK) % class_size[class_of(size)] != 0);
    h->used -= class_size[slab->slab.size_class];
    charge(-(uint64_t)class_size[slab->slab.size_class]);
    put_object(hv, slab, p);
    spin_unlock(&h->lock);
}

uint64_t mem_used(const struct hv *hv) { return atomic_load_relaxed(&hv->mem->used); }
uint64_t mem_frames(const struct hv *hv) { return atomic_load_relaxed(&hv->mem->frames); }
