/* SPDX-License-Identifier: MIT */
/*
 * The allow-list of ID register fields (Arm DDI 0487 D24.2).
 *
 * A field that has no row is hidden: a feature that this table does not know
 * is not shown. A row gives the field's place and the highest value shown. All
 * ID fields are unsigned but for a few where 0xf says "absent" (FP, AdvSIMD,
 * TGran*, PMUVer, DoubleLock): those have a kind of their own.
 *
 * Hidden because nothing switches or emulates it: SVE (unless asked for), SME,
 * MTE, PMU, SPE, trace, MPAM, AMU, RAS, LORegions, SCXTNUM (CSV2 above 1),
 * EL2 and EL3, ECV, FGT, HCX, LS64, MOPS, XS, NMI.
 */
#include <loam/types.h>

#include "idreg.h"

enum field_kind {
    UP_TO,  /* min(host, max) */
    SIGNED, /* host's value as it is: 0xf or up to max */
    EXACT,  /* max, whatever the host has */
    PAUTH,  /* UP_TO where pointer authentication is given to guests */
};

struct field {
    uint8_t crm, op2, shift, kind, max;
};

static const struct field fields[] = {
    /* ID_AA64PFR0_EL1 */
    { 4, 0, 0, UP_TO, 2 },   /* EL0: 32-bit user space where the host has it */
    { 4, 0, 4, EXACT, 1 },   /* EL1: 64-bit only */
    { 4, 0, 16, SIGNED, 1 }, /* FP */
    { 4, 0, 20, SIGNED, 1 }, /* AdvSIMD */
    { 4, 0, 24, EXACT, 1 },  /* GIC system registers */
    { 4, 0, 48, UP_TO, 1 },  /* DIT */
    { 4, 0, 56, UP_TO, 1 },  /* CSV2 */
    { 4, 0, 60, UP_TO, 1 },  /* CSV3 */
    /* ID_AA64PFR1_EL1 */
    { 4, 1, 0, UP_TO, 1 },   /* BT */
    { 4, 1, 4, UP_TO, 2 },   /* SSBS */
    /* ID_AA64DFR0_EL1: debug v8, one breakpoint and watchpoint pair less one as it must be */
    { 5, 0, 0, EXACT, 6 },   /* DebugVer */
    { 5, 0, 12, EXACT, 1 },  /* BRPs - 1 */
    { 5, 0, 20, EXACT, 1 },  /* WRPs - 1 */
    { 5, 0, 36, EXACT, 15 }, /* DoubleLock: none */
    /* ID_AA64ISAR0_EL1 */
    { 6, 0, 4, UP_TO, 2 },   /* AES */
    { 6, 0, 8, UP_TO, 1 },   /* SHA1 */
    { 6, 0, 12, UP_TO, 2 },  /* SHA2 */
    { 6, 0, 16, UP_TO, 1 },  /* CRC32 */
    { 6, 0, 20, UP_TO, 2 },  /* Atomic */
    { 6, 0, 28, UP_TO, 1 },  /* RDM */
    { 6, 0, 32, UP_TO, 1 },  /* SHA3 */
    { 6, 0, 36, UP_TO, 1 },  /* SM3 */
    { 6, 0, 40, UP_TO, 1 },  /* SM4 */
    { 6, 0, 44, UP_TO, 1 },  /* DP */
    { 6, 0, 48, UP_TO, 1 },  /* FHM */
    { 6, 0, 52, UP_TO, 2 },  /* TS */
    { 6, 0, 56, UP_TO, 2 },  /* TLB */
    { 6, 0, 60, UP_TO, 1 },  /* RNDR */
    /* ID_AA64ISAR1_EL1 */
    { 6, 1, 0, UP_TO, 2 },   /* DPB */
    { 6, 1, 4, PAUTH, 5 },   /* APA */
    { 6, 1, 8, PAUTH, 5 },   /* API */
    { 6, 1, 12, UP_TO, 1 },  /* JSCVT */
    { 6, 1, 16, UP_TO, 1 },  /* FCMA */
    { 6, 1, 20, UP_TO, 2 },  /* LRCPC */
    { 6, 1, 24, PAUTH, 1 },  /* GPA */
    { 6, 1, 28, PAUTH, 1 },  /* GPI */
    { 6, 1, 32, UP_TO, 1 },  /* FRINTTS */
    { 6, 1, 36, UP_TO, 1 },  /* SB */
    { 6, 1, 40, UP_TO, 1 },  /* SPECRES */
    { 6, 1, 44, UP_TO, 2 },  /* BF16 */
    { 6, 1, 48, UP_TO, 1 },  /* DGH */
    { 6, 1, 52, UP_TO, 1 },  /* I8MM */
    /* ID_AA64ISAR2_EL1 */
    { 6, 2, 4, UP_TO, 1 },   /* RPRES */
    { 6, 2, 8, PAUTH, 1 },   /* GPA3 */
    { 6, 2, 12, PAUTH, 5 },  /* APA3 */
    { 6, 2, 20, UP_TO, 1 },  /* BC */
    { 6, 2, 24, PAUTH, 1 },  /* PAC_frac */
    { 6, 2, 28, UP_TO, 1 },  /* CLRBHB */
    /* ID_AA64MMFR0_EL1 */
    { 7, 0, 0, UP_TO, 2 },   /* PARange: stage 2 takes 40 bits */
    { 7, 0, 4, UP_TO, 2 },   /* ASIDBits */
    { 7, 0, 8, UP_TO, 1 },   /* BigEnd */
    { 7, 0, 12, UP_TO, 1 },  /* SNSMem */
    { 7, 0, 16, UP_TO, 1 },  /* BigEndEL0 */
    { 7, 0, 20, UP_TO, 1 },  /* TGran16, without 52-bit addresses */
    { 7, 0, 24, SIGNED, 0 }, /* TGran64 */
    { 7, 0, 28, SIGNED, 0 }, /* TGran4 */
    { 7, 0, 44, UP_TO, 1 },  /* ExS */
    /* ID_AA64MMFR1_EL1 */
    { 7, 1, 0, UP_TO, 2 },   /* HAFDBS */
    { 7, 1, 12, UP_TO, 2 },  /* HPDS */
    { 7, 1, 20, UP_TO, 3 },  /* PAN */
    { 7, 1, 36, UP_TO, 1 },  /* ETS */
    { 7, 1, 44, UP_TO, 1 },  /* AFP */
    /* ID_AA64MMFR2_EL1 */
    { 7, 2, 0, UP_TO, 1 },   /* CnP */
    { 7, 2, 4, UP_TO, 1 },   /* UAO */
    { 7, 2, 8, UP_TO, 1 },   /* LSM */
    { 7, 2, 16, UP_TO, 1 },  /* VARange */
    { 7, 2, 20, UP_TO, 1 },  /* CCIDX */
    { 7, 2, 28, UP_TO, 1 },  /* ST */
    { 7, 2, 32, UP_TO, 1 },  /* AT */
    { 7, 2, 36, UP_TO, 1 },  /* IDS */
    { 7, 2, 48, UP_TO, 2 },  /* TTL */
    { 7, 2, 52, UP_TO, 2 },  /* BBM */
    { 7, 2, 60, UP_TO, 1 },  /* E0PD */
};

/* AArch32 ID registers are for 32-bit user space: passed on but for these fields. */
static const struct field aarch32_hidden[] = {
    { 1, 0, 20, UP_TO, 0 },  /* ID_PFR0.AMU */
    { 1, 0, 28, UP_TO, 0 },  /* RAS */
    { 1, 1, 4, UP_TO, 0 },   /* ID_PFR1.Security */
    { 1, 1, 12, UP_TO, 0 },  /* Virtualization */
    { 1, 1, 20, UP_TO, 0 },  /* Sec_frac */
    { 1, 1, 24, UP_TO, 0 },  /* Virt_frac */
    { 1, 2, 8, UP_TO, 0 },   /* ID_DFR0.MMapDbg */
    { 1, 2, 12, UP_TO, 0 },  /* CopTrc */
    { 1, 2, 16, UP_TO, 0 },  /* MMapTrc */
    { 1, 2, 24, UP_TO, 0 },  /* PerfMon */
    { 1, 2, 28, UP_TO, 0 },  /* TraceFilt */
    { 3, 4, 4, UP_TO, 0 },   /* ID_PFR2.SSBS stays, RAS_frac goes */
};

static uint64_t field_show(const struct field *f, uint64_t host, bool pauth)
{
    uint64_t value = host >> f->shift & 0xf;

    switch ((enum field_kind)f->kind) {
    case EXACT:
        value = f->max;
        break;
    case SIGNED:
        value = value == 0xf ? 0xf : MIN(value, (uint64_t)f->max);
        break;
    case PAUTH:
        value = pauth ? MIN(value, (uint64_t)f->max) : 0;
        break;
    case UP_TO:
        value = MIN(value, (uint64_t)f->max);
        break;
    }
    return value << f->shift;
}

uint64_t idreg_filter(uint32_t crm, uint32_t op2, uint64_t host, bool pauth)
{
    uint64_t value = 0;

    if (crm < 4) {
        value = (uint32_t)host;
        for (uint32_t i = 0; i < ARRAY_SIZE(aarch32_hidden); i++) {
            const struct field *f = &aarch32_hidden[i];

            if (f->crm == crm && f->op2 == op2) {
                value &= ~(UINT64_C(0xf) << f->shift);
            }
        }
        return value;
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].crm == crm && fields[i].op2 == op2) {
            value |= field_show(&fields[i], host, pauth);
        }
    }
    return value;
}

uint64_t idreg_with_sve(uint32_t index, uint64_t filtered, uint64_t host)
{
    if (index == IDREG_AA64PFR0) {
        return filtered | UINT64_C(1) << 32;
    }
    /* ID_AA64ZFR0_EL1: instructions only, but for what belongs to streaming mode. */
    return index == IDREG_AA64ZFR0 ? host : filtered;
}

#if !__STDC_HOSTED__
#include "host.h"
#include "sysreg.h"

#define READ(crm, op2) h->idreg[IDREG_INDEX(crm, op2)] = sysreg_read(S3_0_C0_C##crm##_##op2)
#define READ8(crm)                                                                                 \
    READ(crm, 0);                                                                                  \
    READ(crm, 1);                                                                                  \
    READ(crm, 2);                                                                                  \
    READ(crm, 3);                                                                                  \
    READ(crm, 4);                                                                                  \
    READ(crm, 5);                                                                                  \
    READ(crm, 6);                                                                                  \
    READ(crm, 7)

void idreg_init(struct arch_host *h)
{
    /* The whole space is readable: what is not allocated reads as zero. */
    READ8(1);
    READ8(2);
    READ8(3);
    READ8(4);
    READ8(5);
    READ8(6);
    READ8(7);
    for (uint32_t crm = 1; crm < 8; crm++) {
        for (uint32_t op2 = 0; op2 < 8; op2++) {
            uint64_t *reg = &h->idreg[IDREG_INDEX(crm, op2)];

            *reg = idreg_filter(crm, op2, *reg, h->has_pauth);
        }
    }
}
#endif
