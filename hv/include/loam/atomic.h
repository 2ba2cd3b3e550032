/* SPDX-License-Identifier: MIT */
/*
 * The small named set of atomic operations; acquire and release are in the
 * name. Each use of acquire or release names its partner in a comment.
 *
 * relaxed: no ordering. full: acquire and release and store-load order.
 */
#ifndef LOAM_ATOMIC_H
#define LOAM_ATOMIC_H

#include <loam/types.h>

#define atomic_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#if defined(CONFIG_PLAIN_ATOMIC_STORES)
/*
 * Where the compiler would use more than that: plain stores of naturally aligned locations, after a
 * fence if they release.
 */
#define atomic_store_relaxed(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#define atomic_store_release(p, v)                                                                 \
    (__atomic_thread_fence(__ATOMIC_RELEASE), atomic_store_relaxed(p, v))
#else
#define atomic_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#endif

/* Each returns the value before the operation. */
#define atomic_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define atomic_fetch_sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define atomic_exchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

/* True when *p was *expected and is now v; else *expected is what was found. */
#define atomic_compare_exchange(p, expected, v)                                                    \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* Orders every earlier access of this CPU before every later one, as other CPUs see them. */
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
