/* SPDX-License-Identifier: MIT */
/* Parameters of hvm_op (Xen public header hvm/params.h), those that domains without a PC have. */
#ifndef XEN_HVM_PARAMS_H
#define XEN_HVM_PARAMS_H

#define HVM_PARAM_CALLBACK_IRQ 0 /* how events are told: written by the domain builder, not used */
#define HVM_PARAM_STORE_PFN 1
#define HVM_PARAM_STORE_EVTCHN 2
#define HVM_PARAM_CONSOLE_PFN 17
#define HVM_PARAM_CONSOLE_EVTCHN 18
#define HVM_PARAM_PAGING_RING_PFN 27
#define HVM_PARAM_MONITOR_RING_PFN 28
#define HVM_PARAM_SHARING_RING_PFN 29
#define HVM_NR_PARAMS 39

#endif
