/* SPDX-License-Identifier: MIT */
/*
 * Tells AddressSanitizer, in host builds, which bytes of machine memory are
 * nobody's, so that a use after free inside our own allocators is found, and
 * fills memory that is not cleared. Nothing at all in other builds.
 */
#ifndef MM_POISON_H
#define MM_POISON_H

#include <loam/types.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_WITH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISON_WITH_ASAN 1
#endif

#ifdef POISON_WITH_ASAN
#include <loam/string.h>
#include <sanitizer/asan_interface.h>

static inline void mem_poison(const void *p, size_t size) { __asan_poison_memory_region(p, size); }
static inline void mem_unpoison(const void *p, size_t size)
{
    __asan_unpoison_memory_region(p, size);
}
/* Contents that nobody should rely on. */
static inline void mem_scribble(void *p, size_t size) { memset(p, 0xa5, size); }
#else
static inline void mem_poison(const void *p, size_t size) {}
static inline void mem_unpoison(const void *p, size_t size) {}
static inline void mem_scribble(void *p, size_t size) {}
#endif

#endif
