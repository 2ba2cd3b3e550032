/* SPDX-License-Identifier: MIT */
/*
 * What guests do with event channels, for fuzz_core.c, of which this is a part: arguments that
 * often make sense, and scribbling over the words, control blocks and shared_info that
 * the hypervisor reads and writes. evtchn_check() says what must hold then.
 */
#ifndef EVENT_ACTIONS_H
#define EVENT_ACTIONS_H

#include <loam/evtchn.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "../../hv/ipc/channels.h"

static evtchn_port_t any_port(void)
{
    uint32_t how = u8();

    return how >= 0xf0 ? (evtchn_port_t)odd_number() : how % 24;
}

static uint32_t any_vcpu_id(void)
{
    uint32_t how = u8();

    return how >= 0xf8 ? (uint32_t)odd_number() : how % VCPUS;
}

/* Fills *a with the argument of operation op; its size. */
static size_t event_argument(struct domain *d, uint32_t op, void *a)
{
    switch (op) {
    case EVTCHNOP_bind_interdomain:
        *(struct evtchn_bind_interdomain *)a = (struct evtchn_bind_interdomain){
            .remote_dom = any_domid(d), .remote_port = any_port() };
        return sizeof(struct evtchn_bind_interdomain);
    case EVTCHNOP_bind_virq:
        *(struct evtchn_bind_virq *)a = (struct evtchn_bind_virq){
            .virq = u8() % (NR_VIRQS + 1), .vcpu = any_vcpu_id() };
        return sizeof(struct evtchn_bind_virq);
    case EVTCHNOP_alloc_unbound:
        *(struct evtchn_alloc_unbound *)a = (struct evtchn_alloc_unbound){
            .dom = u8() < 0xc0 ? DOMID_SELF : any_domid(d), .remote_dom = any_domid(d) };
        return sizeof(struct evtchn_alloc_unbound);
    case EVTCHNOP_bind_ipi:
        *(struct evtchn_bind_ipi *)a = (struct evtchn_bind_ipi){ .vcpu = any_vcpu_id() };
        return sizeof(struct evtchn_bind_ipi);
    case EVTCHNOP_bind_vcpu:
        *(struct evtchn_bind_vcpu *)a = (struct evtchn_bind_vcpu){ any_port(), any_vcpu_id() };
        return sizeof(struct evtchn_bind_vcpu);
    case EVTCHNOP_status:
        *(struct evtchn_status *)a = (struct evtchn_status){ .dom = any_domid(d),
                                                             .port = any_port() };
        return sizeof(struct evtchn_status);
    case EVTCHNOP_reset:
        *(struct evtchn_reset *)a = (struct evtchn_reset){ .dom = any_domid(d) };
        return sizeof(struct evtchn_reset);
    case EVTCHNOP_init_control:
        *(struct evtchn_init_control *)a = (struct evtchn_init_control){
            .control_gfn = any_gfn(), .offset = u8() * 8, .vcpu = any_vcpu_id() };
        return sizeof(struct evtchn_init_control);
    case EVTCHNOP_expand_array:
        *(struct evtchn_expand_array *)a = (struct evtchn_expand_array){ any_gfn() };
        return sizeof(struct evtchn_expand_array);
    case EVTCHNOP_set_priority:
        *(struct evtchn_set_priority *)a = (struct evtchn_set_priority){ any_port(), u8() & 31 };
        return sizeof(struct evtchn_set_priority);
    default: /* a port alone: close, send, unmask */
        *(evtchn_port_t *)a = any_port();
        return sizeof(evtchn_port_t);
    }
}

/* Another call that has to do with events; its argument's size. */
static size_t vcpu_argument(struct vcpu *v, uint64_t at, void *a)
{
    uint64_t *reg = v->arch.reg;
    uint32_t how = u8();

    reg[2] = at;
    reg[1] = any_vcpu_id();
    reg[5] = __HYPERVISOR_vcpu_op;
    switch (how & 3) {
    case 0:
        reg[0] = VCPUOP_register_vcpu_info;
        *(struct vcpu_register_vcpu_info *)a = (struct vcpu_register_vcpu_info){
            .mfn = any_gfn(), .offset = u8() * 16 };
        return sizeof(struct vcpu_register_vcpu_info);
    case 1:
        reg[0] = VCPUOP_register_runstate_memory_area;
        *(uint64_t *)a = (any_gfn() << PAGE_SHIFT) + u8() * 16 + (how & 4 ? 0x7f8 : 0);
        return sizeof(uint64_t);
    case 2:
        reg[0] = VCPUOP_get_runstate_info;
        return 0;
    default:
        reg[0] = 3; /* SCHEDOP_poll */
        reg[1] = at;
        reg[5] = __HYPERVISOR_sched_op;
        *(struct sched_poll *)a = (struct sched_poll){
            .ports = at, .nr_ports = how >> 2 & 3, .timeout = how & 0x80 ? u32() : 0 };
        return sizeof(struct sched_poll);
    }
}

/* v's next exit is a call with an argument that makes sense, as long as its memory is there. */
static void fill_event_op(struct vcpu *v)
{
    uint64_t at = ((RAM_GFN + (u8() & 7)) << PAGE_SHIFT) + (u8() & 15) * 64;
    uint64_t *reg = v->arch.reg, arg[16] = { 0 };
    uint32_t op = u8() % 20;
    size_t size;

    reg[0] = op;
    reg[1] = at;
    reg[5] = __HYPERVISOR_event_channel_op;
    if (op < 14) {
        size = event_argument(v->domain, op, arg);
    } else if (op < 17) {
        reg[0] = EVTCHNOP_send;
        size = event_argument(v->domain, EVTCHNOP_send, arg);
    } else {
        size = vcpu_argument(v, at, arg);
    }
    (void)fake_guest_write(v, gpa(at), arg, size);
}

/* The guest writes what it shares with the hypervisor; others' virqs come by. */
static void action_event(struct slot *s)
{
    uint32_t how = u8();
    struct evtchn *e = s->d != NULL ? s->d->evtchn : NULL;

    if (e == NULL) {
        return;
    }
    struct evtchn_vcpu *ev = &e->vcpu[how % s->d->config.vcpus_max];
    uint32_t at = u8(), value = (uint32_t)u32();

    switch (how >> 5) {
    case 0:
        *guest_shared_half(&e->shared, at * 4) = value;
        break;
    case 1:
        if (guest_is_shared(&ev->info)) {
            *guest_shared_half(&ev->info, at % 12 * 4) = value;
        }
        break;
    case 2:
        if (guest_is_shared(&ev->control)) {
            *guest_shared_half(&ev->control, at % 18 * 4) = value;
        }
        break;
    case 3:
    case 4:
        if (e->fifo != NULL && e->fifo->nr_pages != 0) {
            *guest_shared_half(&e->fifo->page[0], at % 24 * 4) = value;
        }
        break;
    case 5:
        evtchn_global_virq(st.hv, value % NR_VIRQS);
        break;
    default:
        if (s->d->vcpus[how % s->d->config.vcpus_max] != NULL) {
            evtchn_virq(s->d->vcpus[how % s->d->config.vcpus_max], value % NR_VIRQS);
        }
        break;
    }
}

#endif
