/* SPDX-License-Identifier: MIT */
/*
 * Guest interrupt files against a model of the hardware: harts with fewer files than
 * there are vCPUs, which move, wait and vanish. No message may be lost, none may come
 * twice or to another vCPU.
 */
#include "random.h"
#include "unit.h"

#include <loam/bitmap.h>

#include "../../hv/arch/riscv64/gfile.c"
#include "../../hv/arch/riscv64/vimsic.c"

#define HARTS 3
#define FILES 2 /* numbers 1 and 2 */
#define VCPUS 6
#define HW_IDS 511 /* more than guests are told of */
#define HW_WORDS 8

/* --- The hardware -------------------------------------------------------------- */

static struct hw_hart {
    struct hw_file {
        uint64_t eip[HW_WORDS], eie[HW_WORDS], delivery, threshold;
    } file[FILES + 1];
    uint64_t hgeie;
} hw[HARTS];
static struct gfiles gfiles[HARTS];
static uint32_t hart, vgein; /* that executes; its hstatus.VGEIN */

struct gfile_window gfile_open(uint32_t file)
{
    struct gfile_window w = { vgein, 0 };

    CHECK(file >= 1 && file <= FILES);
    vgein = file;
    return w;
}

void gfile_close(struct gfile_window w) { vgein = (uint32_t)w.hstatus; }

static uint64_t *hw_reg(uint64_t select)
{
    struct hw_file *f = &hw[hart].file[vgein];

    CHECK(vgein != 0);
    return select == ISEL_EIDELIVERY    ? &f->delivery
           : select == ISEL_EITHRESHOLD ? &f->threshold
           : select < ISEL_EIE0         ? &f->eip[(select - ISEL_EIP0) / 2]
                                        : &f->eie[(select - ISEL_EIE0) / 2];
}

uint64_t gfile_reg_read(uint64_t select) { return *hw_reg(select); }
void gfile_reg_write(uint64_t select, uint64_t value) { *hw_reg(select) = value; }
void gfile_irq_on(uint64_t files) { hw[hart].hgeie |= files; }
void gfile_irq_off(uint64_t files) { hw[hart].hgeie &= ~files; }

static uint32_t hw_top(uint32_t h, uint32_t file)
{
    const struct hw_file *f = &hw[h].file[file];

    for (uint32_t id = 1; id <= VIMSIC_IDS; id++) {
        if (bitmap_test(f->eip, id) && bitmap_test(f->eie, id)) {
            return f->threshold == 0 || id < f->threshold ? id : 0;
        }
    }
    return 0;
}

uint64_t gfile_irq_pending(void)
{
    uint64_t pending = 0;

    for (uint32_t file = 1; file <= FILES; file++) {
        if (hw[hart].file[file].delivery && hw_top(hart, file) != 0) {
            pending |= BIT(file);
        }
    }
    return pending & hw[hart].hgeie;
}

void gfile_post(struct gfiles *g, uint32_t file, uint32_t id)
{
    bitmap_set(hw[g - gfiles].file[file].eip, id);
}

/* --- The world -------------------------------------------------------------------- */

static struct vcpu_model {
    struct vimsic f;
    int on; /* hart that has it loaded, -1: none */
    bool line, woken;
    uint64_t pending[VIMSIC_WORDS], enabled[VIMSIC_WORDS]; /* what is so for the guest */
} vcpu[VCPUS];
static uint32_t loaded[HARTS]; /* vCPU + 1, 0: none */
static uint32_t nr_back;

void vimsic_line(struct vimsic *f, bool level) { ((struct vcpu_model *)f)->line = level; }
void gfile_wake(struct vimsic *f) { ((struct vcpu_model *)f)->woken = true; }
void gfile_is_back(struct vimsic *f) { nr_back++; }

static void create(uint32_t id)
{
    memset(&vcpu[id], 0, sizeof(vcpu[id]));
    vimsic_init(&vcpu[id].f);
    vcpu[id].on = -1;
}

static void world(void)
{
    memset(hw, 0xff, sizeof(hw)); /* files hold anything at first */
    memset(gfiles, 0, sizeof(gfiles));
    memset(loaded, 0, sizeof(loaded));
    nr_back = vgein = hart = 0;
    for (uint32_t h = 0; h < HARTS; h++) {
        hw[h].hgeie = 0;
        gfile_init(&gfiles[h], NULL, BIT(FILES + 1) - 1, 0, HW_IDS);
    }
    for (uint32_t id = 0; id < VCPUS; id++) {
        create(id);
    }
}

/* As vintc_aia.c does it. */
static void load(uint32_t id, uint32_t h)
{
    struct vimsic *f = &vcpu[id].f;

    hart = h;
    if (f->in == &gfiles[h]) {
        gfile_disarm(f);
    } else {
        if (f->in != NULL) {
            gfile_leave(f);
        }
        if (f->left == NULL) {
            (void)gfile_take(&gfiles[h], f);
        }
    }
    vcpu[id].on = (int)h;
    loaded[h] = id + 1;
}

static void save(uint32_t id)
{
    struct vimsic *f = &vcpu[id].f;

    hart = (uint32_t)vcpu[id].on;
    if (f->in != NULL) {
        CHECK(f->in == &gfiles[hart]);
        vgein = f->file;
        gfile_save(f);
        vgein = 0;
    }
    loaded[hart] = 0;
    vcpu[id].on = -1;
}

static void message(uint32_t id, uint32_t identity)
{
    vimsic_raise(&vcpu[id].f, identity);
    bitmap_set(vcpu[id].pending, identity);
}

static void drop_vcpu(uint32_t id)
{
    gfile_drop(&vcpu[id].f);
    create(id);
}

/* --- The guest: registers of vCPU id, which is loaded ------------------------------- */

static void guest_write(uint32_t id, uint64_t select, uint64_t value)
{
    struct vimsic *f = &vcpu[id].f;
    uint64_t old;

    hart = (uint32_t)vcpu[id].on;
    if (f->in != NULL) {
        struct gfile_window w = gfile_open(f->file);

        *hw_reg(select) = value;
        gfile_close(w);
    } else {
        CHECK(vimsic_ireg(f, select, (struct vimsic_access){ true, 0, value }, &old));
    }
}

static void guest_enable(uint32_t id, uint32_t word, uint64_t bits)
{
    bits &= word == 0 ? ~1ull : ~0ull;
    guest_write(id, ISEL_EIE0 + 2 * word, bits);
    vcpu[id].enabled[word] = bits;
}

static uint32_t guest_claim(uint32_t id)
{
    struct vimsic *f = &vcpu[id].f;
    uint64_t old;

    hart = (uint32_t)vcpu[id].on;
    if (f->in != NULL) {
        uint32_t top = hw_top(hart, f->file);

        bitmap_clear(hw[hart].file[f->file].eip, top);
        return top;
    }
    CHECK(vimsic_topei(f, (struct vimsic_access){ true, 0, 0 }, &old));
    return (uint32_t)(old >> 16);
}

/* --- One by one ------------------------------------------------------------------------ */

TEST(a_file_is_taken_as_the_software_left_it)
{
    world();
    vcpu[0].f.delivery = true;
    vcpu[0].f.threshold = 99;
    vcpu[0].f.eie[1] = 6;
    vimsic_raise(&vcpu[0].f, 65);
    CHECK(vcpu[0].line);
    load(0, 1);
    CHECK(vcpu[0].f.in == &gfiles[1]);
    CHECK_EQ(vcpu[0].f.file, 1);
    CHECK(!vcpu[0].line);
    const struct hw_file *f = &hw[1].file[1];
    CHECK_EQ(f->delivery, 1);
    CHECK_EQ(f->threshold, 99);
    CHECK_EQ(f->eie[1], 6);
    CHECK_EQ(f->eip[1], 2);
    CHECK_EQ(f->eip[0] | f->eip[2] | f->eip[3] | f->eie[0] | f->eie[2] | f->eie[3], 0);
    for (uint32_t word = VIMSIC_WORDS; word < HW_WORDS; word++) {
        CHECK_EQ(f->eip[word] | f->eie[word], 0);
    }
    CHECK_EQ(vgein, 0);
}

TEST(more_vcpus_than_files_go_on_in_software)
{
    world();
    for (uint32_t id = 0; id < 3; id++) {
        load(id, 0);
        guest_write(id, ISEL_EIDELIVERY, 1);
        guest_enable(id, 0, ~0ull);
        save(id);
        message(id, 7);
    }
    CHECK(vcpu[1].f.in != NULL && vcpu[2].f.in == NULL);
    CHECK(!vcpu[1].line && vcpu[2].line);
    gfile_wake_all(&gfiles[0]);
    CHECK(vcpu[0].woken && vcpu[1].woken && !vcpu[2].woken);
    CHECK_EQ(hw[0].hgeie, 0);
    for (uint32_t id = 0; id < 3; id++) {
        load(id, 0);
        CHECK_EQ(guest_claim(id), 7);
        CHECK_EQ(guest_claim(id), 0);
        save(id);
    }
}

TEST(a_vcpu_that_moves_takes_its_registers_at_once_and_messages_later)
{
    world();
    load(0, 0);
    guest_write(0, ISEL_EIDELIVERY, 1);
    guest_enable(0, 0, ~0ull);
    save(0);
    message(0, 7);
    load(0, 1);
    CHECK(vcpu[0].f.in == NULL && vcpu[0].f.left == &gfiles[0]);
    CHECK(vcpu[0].f.delivery);
    message(0, 9);
    CHECK(vcpu[0].line);
    hart = 0;
    gfile_hand_over(&gfiles[0]);
    CHECK_EQ(nr_back, 1);
    CHECK(vcpu[0].f.left == NULL);
    CHECK_EQ(gfiles[0].free, 6);
    CHECK_EQ(guest_claim(0), 7);
    CHECK_EQ(guest_claim(0), 9);
    CHECK(!vcpu[0].line);
}

TEST(a_vcpu_that_ends_leaves_nothing)
{
    world();
    load(0, 0);
    save(0);
    load(0, 1); /* left at hart 0 */
    save(0);
    drop_vcpu(0);
    CHECK_EQ(gfiles[0].free, 6);
    CHECK_EQ(gfiles[0].leaving, 0);
    hart = 0;
    gfile_hand_over(&gfiles[0]);
    load(1, 0);
    guest_write(1, ISEL_EIDELIVERY, 1);
    guest_enable(1, 0, ~0ull);
    save(1);
    message(1, 3);
    drop_vcpu(1);
    CHECK_EQ(gfiles[0].free, 6);
    gfile_wake_all(&gfiles[0]); /* its file still interrupts: nobody is woken */
    CHECK(!vcpu[1].woken);
    CHECK_EQ(hw[0].hgeie, 0);
    load(2, 0);
    guest_write(2, ISEL_EIDELIVERY, 1);
    guest_enable(2, 0, ~0ull);
    CHECK_EQ(guest_claim(2), 0);
}

/* --- Random ------------------------------------------------------------------------------ */

static void hand_over_on(uint32_t h)
{
    hart = h;
    gfile_hand_over(&gfiles[h]);
}

static void claim_step(uint32_t id)
{
    struct vcpu_model *v = &vcpu[id];
    uint32_t got = guest_claim(id), expected = 0;

    for (uint32_t identity = VIMSIC_IDS; identity > 0; identity--) {
        if (bitmap_test(v->pending, identity) && bitmap_test(v->enabled, identity)) {
            expected = identity;
        }
    }
    if (v->f.left == NULL) {
        CHECK_EQ(got, expected);
    }
    if (got != 0) {
        CHECK(bitmap_test(v->pending, got) && bitmap_test(v->enabled, got));
        bitmap_clear(v->pending, got);
        /* Sent twice, and the first of them is still at the hart it left: two messages. */
        if (v->f.left != NULL &&
            bitmap_test(hw[v->f.left - gfiles].file[v->f.left_file].eip, got)) {
            bitmap_set(v->pending, got);
        }
    }
}

static void random_step(void)
{
    uint32_t id = any(VCPUS), h = any(HARTS);
    struct vcpu_model *v = &vcpu[id];

    switch (any(9)) {
    case 0:
    case 1:
        if (v->on >= 0) {
            save(id);
        } else {
            if (loaded[h] != 0) {
                save(loaded[h] - 1);
            }
            load(id, h);
        }
        break;
    case 2:
        hand_over_on(h);
        break;
    case 3:
        if (v->on < 0 && any(8) == 0) {
            drop_vcpu(id);
        }
        break;
    case 4:
        if (v->on >= 0) {
            guest_write(id, ISEL_EIDELIVERY, 1);
            guest_enable(id, any(VIMSIC_WORDS), (uint64_t)any(UINT32_MAX) << 32 ^ any(UINT32_MAX));
        }
        break;
    case 5:
    case 6:
        if (v->on >= 0) {
            claim_step(id);
        }
        break;
    default:
        message(id, 1 + any(VIMSIC_IDS));
    }
}

/* Where id's messages are, all told, is what was sent less what was claimed. */
static bool nothing_is_lost(uint32_t id)
{
    const struct vimsic *f = &vcpu[id].f;
    bool ok = true;

    for (uint32_t word = 0; word < VIMSIC_WORDS; word++) {
        uint64_t all = f->eip[word];

        all |= f->in != NULL ? hw[f->in - gfiles].file[f->file].eip[word] : 0;
        all |= f->left != NULL ? hw[f->left - gfiles].file[f->left_file].eip[word] : 0;
        ok &= all == vcpu[id].pending[word];
    }
    return ok;
}

static bool same(void)
{
    for (uint32_t id = 0; id < VCPUS; id++) {
        if (!nothing_is_lost(id)) {
            printf("vCPU %u has other messages\n", id);
            return false;
        }
    }
    CHECK_EQ(vgein, 0);
    return true;
}

static void everybody_goes(void)
{
    for (uint32_t id = 0; id < VCPUS; id++) {
        drop_vcpu(id);
    }
    for (uint32_t h = 0; h < HARTS; h++) {
        hand_over_on(h);
        CHECK_EQ(gfiles[h].free, BIT(FILES + 1) - 2);
        CHECK_EQ(gfiles[h].leaving, 0);
    }
}

TEST(random_moves_lose_no_message)
{
    random_run(&(struct random_test){ 100, 3000, world, random_step, same, everybody_goes });
}
