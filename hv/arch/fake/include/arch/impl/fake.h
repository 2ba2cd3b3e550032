/* SPDX-License-Identifier: MIT */
/*
 * The fake machine: what stands for the hardware in host tests.
 *
 * fake_machine points at the one in use; like hardware it is found, not
 * passed, and it is the only writable global of the fake architecture. A test
 * runs one thread; `cpu` says which pcpu executes, tests change it.
 *
 * The model finds what an emulator does not show. A violation is reported to
 * `violation`, which ends the test:
 * - a guest access through a TLB entry that the tables no longer say (missed flush);
 * - a valid entry replaced by another without break, publish and flush between;
 * - entries that no publish followed before a flush or before their table is linked:
 *   the walk sees what they were before;
 * - bytes not cleaned are not there for fake_guest_read_uncached() (dirty cache).
 */
#ifndef ARCH_IMPL_FAKE_H
#define ARCH_IMPL_FAKE_H

#include <arch/stage2.h>
#include <loam/console.h>
#include <loam/types.h>
#include <loam/vcpu.h>

#define FAKE_IRQS 64
#define FAKE_VMID_BITS 8
#define FAKE_RAM_BASE UINT64_C(0x40000000)
#define FAKE_INTC_BASE UINT64_C(0x8000000) /* the one range that no domain may be given */
#define FAKE_INTC_SIZE UINT64_C(0x10000)
#define FAKE_INTC_COMPATIBLE "fake,intc"
#define FAKE_KEPT_COMPATIBLE "fake,firmware" /* another node that no domain is shown */
#define FAKE_VIRQ_BASE 32
#define FAKE_KERNEL_MAGIC "FAKE"

/* What a kernel image begins with. */
struct fake_kernel {
    char magic[4];
    uint32_t offset; /* from a multiple of 2 MiB */
    uint64_t memory; /* from there on */
    uint8_t pad[48];
};

/* Why a run ended. */
enum fake_stop {
    FAKE_STOP_EXITS = 1, /* as many exits as asked for */
    FAKE_STOP_SCRIPT, /* the chosen vCPU's script is at its end */
    FAKE_STOP_IDLE, /* nothing runs and nothing will ever wake it */
    FAKE_STOP_HALT, /* a CPU halted: panic() or PCPU_WORK_STOP */
    FAKE_STOP_OFF, /* arch_machine_off() */
    FAKE_STOP_RESET, /* arch_machine_reset() */
};

/* One exit that a scripted vCPU makes. */
struct fake_step {
    struct vm_exit exit;
    bool set_regs; /* reg replaces the vCPU's registers before the exit */
    uint64_t reg[FAKE_REGS];
    ns_t ran; /* guest time that passes before the exit */
    void (*before)(struct vcpu *v); /* optional: what the guest does before the exit */
    void (*after)(struct vcpu *v); /* optional: called when it is entered again */
};

struct fake_script {
    const struct fake_step *steps;
    uint32_t nr;
    uint32_t pos; /* next one */
    bool repeat; /* from the start for ever */
    void (*after)(struct vcpu *v); /* of the step made last, not yet called */
};

/* A store to a table or a line of cache that not everybody sees yet. */
struct fake_write {
    uint64_t *slot;
    uint64_t old;
};

struct fake_writes {
    struct fake_write *w;
    size_t nr, max;
};

/* A call of arch_map(). */
struct fake_mapping {
    uint64_t va, pa, size;
    bool writable;
};

struct fake_machine {
    struct hv *hv;
    struct pcpu *cpu; /* executes */
    uint32_t nr_cpus; /* of the machine */
    uint64_t dead_cpus; /* bit i: CPU i does not start */

    /* Memory. */
    uint8_t *ram; /* machine addresses from FAKE_RAM_BASE */
    uint8_t *shadow; /* what an observer without cache sees, complemented */
    uint64_t ram_size;
    uint8_t device[PAGE_SIZE] __aligned(8); /* what arch_map_device() gives */
    struct fake_mapping mapped[4]; /* by arch_map() */
    uint32_t nr_mapped;

    const struct guest_layout *layout; /* of its guests, where a test wants its own */

    /* Time. */
    ns_t now;

    /* Stage 2. May be changed before the first domain is made. */
    struct stage2_format format;
    struct fake_writes unpublished; /* [slot] as walks still see them */
    struct fake_writes broken; /* invalidated and not flushed since */
    struct fake_writes cleared; /* pages cleared since the last publish */
    uint64_t sets, publishes, flushes;

    /* Host interrupts. */
    bool irq_unmasked[FAKE_IRQS], irq_pending[FAKE_IRQS], irq_active[FAKE_IRQS];
    struct pcpu *irq_cpu[FAKE_IRQS];

    /* Console: what was written, what will be read. */
    char console[65536];
    size_t console_len;
    const char *console_input;

    /* An idle CPU ends its run (FAKE_STOP_IDLE) after as many steps of jobs; 0: no limit. */
    uint32_t idle_polls_max;
    uint32_t idle_polls;
    /* Called when a CPU waits with nothing pending; may advance time or make something pending. */
    void (*on_wait)(struct fake_machine *m, struct pcpu *p);
    /* Firmware and architecture exits of guests; NULL: inject undefined. Return enum vm_resume. */
    int (*on_firmware)(struct vcpu *v, struct vm_exit *x);
    int (*on_arch)(struct vcpu *v, struct vm_exit *x);
    /* Optional: what other CPUs do just before an address of v's guest is translated ... */
    void (*on_translate)(struct vcpu *v, uint64_t addr, bool write);
    /* ... and while v, about to block, has not yet looked for a reason not to. */
    void (*on_event_check)(struct vcpu *v);
    /* ... and while entries of d are invalid that guests are being kept from. */
    void (*on_flush)(struct domain *d);
    /* A rule of the model was broken. NULL: print and abort. */
    void (*violation)(const char *text);
    uint32_t violations;

    void *escape; /* jmp_buf of the run in progress */
    void *arg; /* the test's */
};

extern struct fake_machine *fake_machine;

/* Makes m (zeroed) the machine, with ram_size bytes of RAM. */
void fake_machine_init(struct fake_machine *m, uint64_t ram_size, uint32_t nr_cpus);
void fake_machine_fini(struct fake_machine *m);
/* Reports a broken rule of the model. */
void fake_violation(const char *text);

/*
 * Runs CPU p: enters the vCPU that vcpu_next() gives and makes the exits of its
 * script, until the run ends. Nothing that was under way is continued later.
 */
enum fake_stop fake_run(struct pcpu *p, uint32_t max_exits);
/* Calls fn(arg), which may panic() or stop the machine; 0 when it returned. */
int fake_try(void (*fn)(void *arg), void *arg);

/*
 * The guest loaded on the executing CPU accesses guest-physical memory through
 * the TLB. False: not mapped, or not writable; no byte was copied.
 */
bool fake_guest_read(struct vcpu *v, gpa_t a, void *buf, size_t size);
bool fake_guest_write(struct vcpu *v, gpa_t a, const void *buf, size_t size);
/* The same with its caches off: reads what was cleaned. */
bool fake_guest_read_uncached(struct vcpu *v, gpa_t a, void *buf, size_t size);

/* v takes the interrupts that were delivered. Returns whether there were any. */
bool fake_guest_ack(struct vcpu *v);
/* The guest ends virq: its edge is taken, a tied host interrupt may come again. */
void fake_guest_eoi(struct domain *d, uint32_t virq);
/* The host's device raises irq. */
void fake_irq_raise(uint32_t irq);

/* A console device over fake_machine->console; its registers are at any address. */
extern const struct console_driver fake_console_driver;

#endif
