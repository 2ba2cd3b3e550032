/* SPDX-License-Identifier: MIT */
/*
 * Trapped system registers and SYS instructions: one table by encoding.
 *
 * What is not in the table is undefined for the guest, as are registers of
 * features that its ID registers do not show (PMU, RAS, LORegions, ...).
 * SGIs and ID registers, the frequent ones, are looked at before the table.
 */
#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#include "host.h"
#include "idreg.h"
#include "set_way.h"
#include "sysreg.h"
#include "trap.h"
#include "vgic.h"
#include "vtimer.h"

/* Where ISS has Op0, Op2, Op1, CRn, CRm (EC_SYSREG). */
#define KEY(op0, op1, crn, crm, op2)                                                               \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define KEY_MASK 0x3ffc1eu
#define ISS_RT(iss) ((iss) >> 5 & 31)
#define ISS_READ 1u

#define KEY_ICC_SGI1R KEY(3, 0, 12, 11, 5)
#define KEY_ID KEY(3, 0, 0, 0, 0) /* CRm and op2 free */
#define KEY_ID_MASK KEY(3, 7, 15, 0, 0)

/* Each: the guest's value is *value. Returns enum vm_resume. */
typedef int sysreg_handler(struct vcpu *v, uint32_t key, uint64_t *value);

struct sysreg {
    uint32_t key;
    sysreg_handler *read, *write; /* NULL: undefined */
};

static int raz(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = 0;
    return VM_RESUME;
}

static int wi(struct vcpu *v, uint32_t key, uint64_t *value)
{
    return VM_RESUME;
}

static int oslsr_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = BIT(3); /* OSLM = 0b10: implemented, unlocked */
    return VM_RESUME;
}

static int mdscr_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = sysreg_read(mdscr_el1);
    return VM_RESUME;
}

/* Software step works; breakpoints, watchpoints and the debug channel are not there. */
static int mdscr_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    sysreg_write(mdscr_el1, *value & (BIT(0) | BIT(12) | BIT(13) | BIT(15)));
    return VM_RESUME;
}

static int counter_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = vtimer_counter(v);
    return VM_RESUME;
}

static int cntp_ctl_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = vtimer_ctl_read(v);
    return VM_RESUME;
}

static int cntp_ctl_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vtimer_ctl_write(v, *value);
    return VM_RESUME;
}

static int cntp_cval_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = v->arch.timers.cntp_cval;
    return VM_RESUME;
}

static int cntp_cval_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vtimer_cval_write(v, *value);
    return VM_RESUME;
}

static int cntp_tval_read(struct vcpu *v, uint32_t key, uint64_t *value)
{
    *value = (uint32_t)(v->arch.timers.cntp_cval - vtimer_counter(v));
    return VM_RESUME;
}

static int cntp_tval_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vtimer_cval_write(v, vtimer_counter(v) + (uint64_t)(int64_t)(int32_t)*value);
    return VM_RESUME;
}

static int sgi1r_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vgic_send_sgi(&v->arch.vgic, *value, true);
    return VM_RESUME;
}

static int sgi0r_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vgic_send_sgi(&v->arch.vgic, *value, false);
    return VM_RESUME;
}

/* Traps while active interrupts wait for a list register (ICH_HCR_EL2.TDIR). */
static int dir_write(struct vcpu *v, uint32_t key, uint64_t *value)
{
    vgic_deactivate(&v->arch.vgic, *value & 0xffffff);
    return VM_RESUME;
}

static const struct sysreg sysregs[] = {
    { KEY(3, 0, 12, 11, 5), NULL, sgi1r_write },         /* ICC_SGI1R_EL1 */
    { KEY(3, 0, 12, 11, 6), NULL, wi },                  /* ICC_ASGI1R_EL1: no other state */
    { KEY(3, 0, 12, 11, 7), NULL, sgi0r_write },         /* ICC_SGI0R_EL1 */
    { KEY(3, 0, 12, 11, 1), NULL, dir_write },           /* ICC_DIR_EL1 */
    { KEY(3, 3, 14, 0, 1), counter_read, NULL },         /* CNTPCT_EL0 */
    { KEY(3, 3, 14, 2, 0), cntp_tval_read, cntp_tval_write },
    { KEY(3, 3, 14, 2, 1), cntp_ctl_read, cntp_ctl_write },
    { KEY(3, 3, 14, 2, 2), cntp_cval_read, cntp_cval_write },
    { KEY(3, 0, 1, 0, 1), raz, wi },                     /* ACTLR_EL1 */
    { KEY(2, 0, 0, 2, 2), mdscr_read, mdscr_write },     /* MDSCR_EL1 */
    { KEY(2, 0, 1, 1, 4), oslsr_read, NULL },            /* OSLSR_EL1 */
    { KEY(1, 0, 7, 6, 2), NULL, set_way_op },            /* DC ISW */
    { KEY(1, 0, 7, 10, 2), NULL, set_way_op },           /* DC CSW */
    { KEY(1, 0, 7, 14, 2), NULL, set_way_op },           /* DC CISW */
    /* HCR_EL2.TVM, while set/way operations are being made good */
    { KEY(3, 0, 1, 0, 0), NULL, set_way_sctlr },         /* SCTLR_EL1 */
    { KEY(3, 0, 2, 0, 0), NULL, set_way_tvm },           /* TTBR0_EL1 */
    { KEY(3, 0, 2, 0, 1), NULL, set_way_tvm },           /* TTBR1_EL1 */
    { KEY(3, 0, 2, 0, 2), NULL, set_way_tvm },           /* TCR_EL1 */
    { KEY(3, 0, 5, 1, 0), NULL, set_way_tvm },           /* AFSR0_EL1 */
    { KEY(3, 0, 5, 1, 1), NULL, set_way_tvm },           /* AFSR1_EL1 */
    { KEY(3, 0, 5, 2, 0), NULL, set_way_tvm },           /* ESR_EL1 */
    { KEY(3, 0, 6, 0, 0), NULL, set_way_tvm },           /* FAR_EL1 */
    { KEY(3, 0, 10, 2, 0), NULL, set_way_tvm },          /* MAIR_EL1 */
    { KEY(3, 0, 10, 3, 0), NULL, set_way_tvm },          /* AMAIR_EL1 */
    { KEY(3, 0, 13, 0, 1), NULL, set_way_tvm },          /* CONTEXTIDR_EL1 */
};

/* Debug registers (op0 2) but for trace's (op1 1): there are none that do anything. */
static const struct sysreg debug = { 0, raz, wi };

static const struct sysreg *find(uint32_t key)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(sysregs); i++) {
        if (sysregs[i].key == key) {
            return &sysregs[i];
        }
    }
    uint32_t op1 = key >> 14 & 7;

    return key >> 20 == 2 && (op1 == 0 || op1 == 3) ? &debug : NULL;
}

static uint64_t id_value(const struct vcpu *v, uint32_t key)
{
    uint32_t index = IDREG_INDEX(key >> 1 & 15, key >> 17 & 7);
    uint64_t value = v->pcpu->arch.host->idreg[index & 63];

    if (unlikely(v->arch.sve != NULL)) {
        value = idreg_with_sve(index, value, sysreg_read(S3_0_C0_C4_4));
    }
    return value;
}

int sysreg_trap(struct vcpu *v, uint64_t esr)
{
    uint32_t iss = ESR_ISS(esr);
    uint32_t key = iss & KEY_MASK;
    uint32_t rt = ISS_RT(iss);
    uint64_t value = rt == 31 ? 0 : v->arch.x[rt];

    if (key == KEY_ICC_SGI1R && !(iss & ISS_READ)) {
        trap_skip();
        vgic_send_sgi(&v->arch.vgic, value, true);
        return VM_RESUME;
    }
    if ((key & KEY_ID_MASK) == KEY_ID && (key >> 1 & 15) < 8 && iss & ISS_READ) {
        if (rt != 31) {
            v->arch.x[rt] = id_value(v, key);
        }
        trap_skip();
        return VM_RESUME;
    }
    const struct sysreg *r = find(key);
    sysreg_handler *handler = r == NULL ? NULL : iss & ISS_READ ? r->read : r->write;

    if (handler == NULL) {
        inject_undefined(v);
        return VM_RESUME;
    }
    int next = handler(v, key, &value);

    if (next == SYSREG_AGAIN) {
        return VM_RESUME; /* it goes on when the instruction is executed again */
    }
    if (iss & ISS_READ && rt != 31) {
        v->arch.x[rt] = value;
    }
    trap_skip();
    return next;
}
