/* SPDX-License-Identifier: MIT */
/* Arguments of hvm_op (Xen public header hvm/hvm_op.h). */
#ifndef XEN_HVM_HVM_OP_H
#define XEN_HVM_HVM_OP_H

#include <stdint.h>
#include <xen/xen.h>

struct xen_hvm_param {
    domid_t domid;
    uint16_t pad;
    uint32_t index; /* HVM_PARAM_* */
    uint64_t value;
};

#endif
