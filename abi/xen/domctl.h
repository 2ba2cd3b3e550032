/* SPDX-License-Identifier: MIT */
/*
 * Arguments of domctl, operations on domains (Xen public header domctl.h, as of 4.22; where older
 * releases differ see tables/layout.tbl). Guest handles are 64-bit addresses.
 */
#ifndef XEN_DOMCTL_H
#define XEN_DOMCTL_H

#include <stdint.h>
#include <xen/xen.h>

#endif
