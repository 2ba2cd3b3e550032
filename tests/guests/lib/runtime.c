/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: start of a micro guest, its settings, and small things.
 *
 * Read next: fdt.c, ARCH/arch.c.
 */

#include "guest.h"

struct machine machine;
struct cpu cpus[MAX_CPUS];
void (*volatile irq_hook)(struct cpu *cpu, u32 irq);

void guest_start(const void *fdt);

/* --- small things ------------------------------------------------------- */

void *memset(void *to, int byte, size_t size)
{
    for (u8 *p = to; size--; p++) {
        *p = (u8)byte;
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    u8 *p = to;

    for (const u8 *q = from; size--;) {
        *p++ = *q++;
    }
    return to;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++, b++;
    }
    return (u8)*a - (u8)*b;
}

static const char *find_option(const char *name)
{
    size_t length = strlen(name);

    for (const char *s = machine.bootargs; s && *s;) {
        size_t i = 0;
        while (i < length && s[i] == name[i]) {
            i++;
        }
        if (i == length && (s[i] == '=' || s[i] == ' ' || !s[i])) {
            return s + i;
        }
        while (*s && *s != ' ') {
            s++;
        }
        s += *s == ' ';
    }
    return NULL;
}

bool has_option(const char *name) { return find_option(name) != NULL; }

u64 option(const char *name, u64 otherwise)
{
    const char *s = find_option(name);
    u64 value = 0, base = 10;

    if (!s || *s++ != '=') {
        return otherwise;
    }
    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (;; s++) {
        if (*s >= '0' && *s <= '9') {
            value = value * base + (u64)(*s - '0');
        } else if (base == 16 && *s >= 'a' && *s <= 'f') {
            value = value * base + (u64)(*s - 'a' + 10);
        } else {
            return value;
        }
    }
}

u64 chance(void)
{
    static u64 state;

    if (!state) {
        state = option("seed", now() | 1);
        print("seed=0x%lx\n", state);
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- time --------------------------------------------------------------- */

u64 ticks_of_us(u64 us) { return us * counter_hz() / 1000000; }

void delay_us(u64 us)
{
    u64 end = now() + ticks_of_us(us);

    while (now() < end) {
    }
}

void timer_in(u64 us) { timer_at(now() + ticks_of_us(us)); }

bool irq_wait(u32 irq, u32 count, u64 us)
{
    u64 end = now() + ticks_of_us(us);

    while (this_cpu()->irqs[irq] < count) {
        if (now() > end) {
            return false;
        }
    }
    return true;
}

void guest_start(const void *fdt)
{
    fdt_read(fdt);
    arch_start();
    main();
    done();
}
