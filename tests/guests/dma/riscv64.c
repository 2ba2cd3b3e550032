/* SPDX-License-Identifier: MIT */
/*
 * dma: drives a passed-through virtio entropy device (Virtual I/O Device 1.2, 4.1, 5.4) by
 * hand, and has it write where this guest has nothing.
 *
 * First into its own RAM, which must work; then, for each "targets" page from "target" on, to an
 * address outside, which must end without anything written here. With "again" it goes on until
 * it is stopped: a flood of faults. With "bars" it moves the device's memory over everything
 * first. Without a device it says so and fails.
 */

#include "guest.h"

#define VENDOR_VIRTIO 0x1af4
#define ENTROPY 0x1044
#define COMMAND 0x04
#define BAR0 0x10
#define CAPS 0x34
#define COMMAND_MEMORY_MASTER 0x406
#define CAP_COMMON 1
#define CAP_NOTIFY 2

#define STATUS_ALL 0x0f
#define QUEUE 8

struct desc {
    u64 address;
    u32 length;
    u16 flags, next;
};
static struct {
    struct desc desc[QUEUE] __attribute__((aligned(4096)));
    struct {
        u16 flags, index, ring[QUEUE];
    } avail;
    struct {
        u16 flags, index;
        struct {
            u32 id, length;
        } ring[QUEUE];
    } used __attribute__((aligned(4096)));
    u8 buffer[4096] __attribute__((aligned(4096)));
} q;

static u64 config, common, notify;
static u64 bars[6];
static u32 notify_step;

static u32 get(u32 reg, u32 size)
{
    u64 at = config + reg;
    return size == 1 ? *(volatile u8 *)at : size == 2 ? *(volatile u16 *)at : read32(at);
}

static void set16(u64 at, u16 v) { *(volatile u16 *)at = v; }
static void set8(u64 at, u8 v) { *(volatile u8 *)at = v; }
static void set64(u64 at, u64 v)
{
    write32(at, (u32)v);
    write32(at + 4, (u32)(v >> 32));
}
static void barrier(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }

/* Sizes the BARs and puts them behind each other, from `at` on; returns the end. */
static u64 place_bars(u64 at)
{
    for (u32 i = 0; i < 6; i++) {
        u64 reg = config + BAR0 + 4 * i;
        write32(reg, ~0u);
        u32 mask = read32(reg);
        if (!(mask & ~0xfu)) {
            continue;
        }
        u64 size = (u32)(~(mask & ~0xfu) + 1);
        at = (at + size - 1) & ~(size - 1);
        bars[i] = at;
        write32(reg, (u32)at);
        at += size;
        if (mask & 4) {
            write32(reg + 4, 0);
            i++;
        }
    }
    return at;
}

static void find_registers(void)
{
    for (u32 cap = get(CAPS, 1); cap; cap = get(cap + 1, 1)) {
        u64 at = bars[get(cap + 4, 1) % 6] + get(cap + 8, 4);
        if (get(cap, 1) == 9 && get(cap + 3, 1) == CAP_COMMON) {
            common = at;
        } else if (get(cap, 1) == 9 && get(cap + 3, 1) == CAP_NOTIFY) {
            notify = at;
            notify_step = get(cap + 16, 4);
        }
    }
}

/* The device, reset, with our queue. */
static void start(void)
{
    set8(common + 20, 0);
    while (*(volatile u8 *)(common + 20)) {
    }
    memset(&q, 0, sizeof(q)); /* not before: the device uses it until then */
    set8(common + 20, 3);
    write32(common + 8, 1); /* features 32 to 63: VERSION_1, ACCESS_PLATFORM */
    write32(common + 12, 3);
    set8(common + 20, 0xb);
    set16(common + 22, 0);
    set16(common + 24, QUEUE);
    set64(common + 32, (u64)q.desc);
    set64(common + 40, (u64)&q.avail);
    set64(common + 48, (u64)&q.used);
    set16(common + 28, 1);
    set8(common + 20, STATUS_ALL);
}

/* Has the device write 64 bytes to address; true if it says that it did. */
static bool write_by_device(u64 address, u64 us)
{
    u16 before = q.used.index;

    q.desc[0] = (struct desc){ address, 64, 2, 0 };
    q.avail.ring[q.avail.index % QUEUE] = 0;
    barrier();
    *(volatile u16 *)&q.avail.index = (u16)(q.avail.index + 1);
    barrier();
    set16(notify + (u64)notify_step * *(volatile u16 *)(common + 30), 0);
    for (u64 end = now() + ticks_of_us(us); now() < end;) {
        if (*(volatile u16 *)&q.used.index != before) {
            return true;
        }
    }
    return false;
}

static u32 filled(void)
{
    u32 nr = 0;
    for (u32 i = 0; i < sizeof(q.buffer); i++) {
        nr += *(volatile u8 *)&q.buffer[i] != 0;
    }
    return nr;
}

/* Places that are none of a BAR's: nothing may be found or lost there. */
static void move_bars(void)
{
    static const u64 places[] = { 0, 0x30000000, 0x10000000, 0xc000000, 0xfffff000 };

    write32(config + COMMAND, COMMAND_MEMORY_MASTER);
    for (u32 n = 0; n < 200; n++) {
        u64 place = n < ARRAY_SIZE(places) ? places[n] : machine.ram_base + n * 0x4000;
        for (u32 i = 0; i < 6; i++) {
            write32(config + BAR0 + 4 * i, i % 2 ? 0 : (u32)place);
        }
        for (u32 i = 0; i < 6; i++) {
            write32(config + BAR0 + 4 * i, (u32)place);
        }
    }
    check(read32(config) == (ENTROPY << 16 | VENDOR_VIRTIO),
          "still here after its memory went about");
    write32(config + COMMAND, 0);
}

int main(void)
{
    u64 target = option("target", machine.ram_base + machine.ram_size);
    u64 targets = option("targets", 1);

    config = option("ecam", 0x30000000) + (1 << 15);
    check(read32(config) == (ENTROPY << 16 | VENDOR_VIRTIO), "an entropy device: 0x%x",
          read32(config));
    if (has_option("bars")) {
        move_bars();
    }
    place_bars(option("window", 0x40000000));
    write32(config + COMMAND, COMMAND_MEMORY_MASTER);
    find_registers();
    check(common && notify, "registers at 0x%lx, 0x%lx", common, notify);
    if (!common || !notify) {
        done();
    }
    start();
    check(write_by_device((u64)q.buffer, 1000000) && filled() > 32, "own RAM is written: %u bytes",
          filled());
    do {
        for (u64 n = 0; n < targets; n++) {
            start();
            write_by_device(target + n * 4096, has_option("again") ? 100 : 20000);
        }
    } while (has_option("again"));
    check(filled() == 0, "nothing is written here: %u bytes", filled());
    start();
    check(write_by_device((u64)q.buffer, 1000000) && filled() > 32, "own RAM again: %u bytes",
          filled());
    done();
}
