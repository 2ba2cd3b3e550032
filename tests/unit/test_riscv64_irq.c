/* SPDX-License-Identifier: MIT */
/*
 * The life of host interrupts of riscv64, the same with each controller: levels, edges, masks,
 * kicks, and what one poll takes. riscv64_board.h has the controllers.
 */
#include "riscv64_board.h"

/* The life of a level, which must be the same with each controller. */
static void level_life(enum board board)
{
    REQUIRE(boot(board));
    wire(UART_IRQ, true);
    arch_irq_unmask(&m.hv, UART_IRQ, false, &pcpu[1]);
    CHECK_EQ(poll(), 0);
    on(1);
    guest_has = true;
    CHECK_EQ(poll(), 1); /* high before it was unmasked, and no storm while the guest has it */
    CHECK_EQ(delivered[0], UART_IRQ);
    on(0); /* the guest ends it on another CPU, without having done anything */
    intc_complete(&m.hv, UART_IRQ);
    on(1);
    CHECK_EQ(poll(), 1);
    wire(UART_IRQ, false);
    intc_complete(&m.hv, UART_IRQ);
    CHECK_EQ(poll(), 0);
    /* A device that asks again while the guest is at it. */
    wire(UART_IRQ, true);
    CHECK_EQ(poll(), 1);
    wire(UART_IRQ, false);
    wire(UART_IRQ, true);
    CHECK_EQ(poll(), 0);
    intc_complete(&m.hv, UART_IRQ);
    CHECK_EQ(poll(), 1);
    wire(UART_IRQ, false);
    intc_complete(&m.hv, UART_IRQ);
    /* The hypervisor's own are over at once. */
    guest_has = false;
    wire(UART_IRQ, true);
    arch_irq_poll(&pcpu[1]);
    arch_irq_poll(&pcpu[1]);
    CHECK_EQ(nr_delivered, 6);
    wire(UART_IRQ, false);
    nr_delivered = 0;
    poll();
    CHECK(nr_delivered <= 1); /* a message or claim that was on its way */
    end();
}

TEST(plic_level) { level_life(BOARD_PLIC); }
TEST(aplic_level) { level_life(BOARD_APLIC); }
TEST(imsic_level) { level_life(BOARD_IMSIC); }

/* Masking ends what a guest has, so that the next owner gets its own. */
static void mask_life(enum board board)
{
    REQUIRE(boot(board));
    guest_has = true;
    arch_irq_unmask(&m.hv, 33, false, &pcpu[0]);
    wire(33, true);
    CHECK_EQ(poll(), 1);
    arch_irq_mask(&m.hv, 33);
    CHECK_EQ(poll(), 0);
    intc_complete(&m.hv, 33); /* of the owner that it had, late */
    CHECK_EQ(poll(), 0);
    arch_irq_unmask(&m.hv, 33, false, &pcpu[0]);
    CHECK_EQ(poll(), 1);
    arch_irq_mask(&m.hv, 33);
    wire(33, false);
    arch_irq_unmask(&m.hv, 33, false, &pcpu[0]);
    CHECK_EQ(poll(), board == BOARD_PLIC); /* a PLIC does not take back what it has pending */
    end();
}

TEST(plic_mask) { mask_life(BOARD_PLIC); }
TEST(aplic_mask_ends) { mask_life(BOARD_APLIC); }
TEST(imsic_mask) { mask_life(BOARD_IMSIC); }

TEST(plic_heals_a_claim_that_raced_with_mask)
{
    REQUIRE(boot(BOARD_PLIC));
    arch_irq_unmask(&m.hv, 3, false, &pcpu[0]);
    wire(3, true);
    CHECK_EQ(reg_read32(pcpu[0].arch.claim), 3); /* claimed, and then the other CPU is faster */
    hw.p_enabled[1][3] = false;
    plic_complete(m.host.plic, 3);
    CHECK(hw.p_claimed[3]);
    arch_irq_unmask(&m.hv, 3, false, &pcpu[0]);
    CHECK(!hw.p_claimed[3]);
    arch_irq_poll(&pcpu[0]);
    CHECK_EQ(nr_delivered, 1);
    end();
}

static void edge_life(enum board board)
{
    REQUIRE(boot(board));
    guest_has = true;
    arch_irq_unmask(&m.hv, 5, true, &pcpu[0]);
    CHECK_EQ(hw.sourcecfg[5], 4);
    wire(5, true);
    CHECK_EQ(poll(), 1);
    intc_complete(&m.hv, 5); /* still high: no new edge */
    CHECK_EQ(poll(), 0);
    wire(5, false);
    wire(5, true);
    CHECK_EQ(poll(), 1);
    wire(5, false); /* an edge while the guest has the last one is kept */
    wire(5, true);
    wire(5, false);
    CHECK_EQ(poll(), 0);
    intc_complete(&m.hv, 5);
    CHECK_EQ(poll(), 1);
    end();
}

TEST(aplic_edge) { edge_life(BOARD_APLIC); }
TEST(imsic_edge) { edge_life(BOARD_IMSIC); }

TEST(aplic_says_what_is_not_delegated)
{
    REQUIRE(boot(BOARD_APLIC));
    hw.foreign[6] = true;
    arch_irq_unmask(&m.hv, 6, false, &pcpu[0]);
    CHECK(strstr(log_text, "interrupt 6 ") != NULL);
    end();
}

TEST(messages_name_hart_and_identity)
{
    REQUIRE(boot(BOARD_IMSIC));
    arch_irq_unmask(&m.hv, 96, false, &pcpu[1]);
    CHECK_EQ(hw.target[96], 1u << 18 | 97);
    end();
}

TEST(kicks)
{
    REQUIRE(boot(BOARD_PLIC));
    arch_cpu_kick(&pcpu[1]);
    CHECK_EQ(hw.ipis, 1);
    on(1);
    CHECK_EQ(poll(), 0);
    CHECK(!hw.ssip[1]);
    REQUIRE(boot(BOARD_IMSIC));
    arch_cpu_kick(&pcpu[1]);
    CHECK_EQ(hw.ipis, 0);
    CHECK(!seip(0) && seip(1));
    on(1);
    CHECK_EQ(poll(), 0);
    end();
}

TEST(what_one_poll_takes)
{
    REQUIRE(boot(BOARD_IMSIC));
    hw.stip[0] = true; /* masked: stays */
    arch_irq_poll(&pcpu[0]);
    CHECK_EQ(hw.timers, 0);
    hw.sie[0] |= SIP_STIP;
    hw.nr_accesses = 0;
    arch_irq_poll(&pcpu[0]);
    CHECK_EQ(hw.timers, 1);
    CHECK_EQ(hw.nr_accesses, 0);
    hw.sgeip[0] = true;
    arch_irq_poll(&pcpu[0]);
    CHECK_EQ(hw.guest_externals, 1);
    /* All at once. */
    arch_irq_unmask(&m.hv, 1, false, &pcpu[0]);
    wire(1, true);
    guest_has = true;
    hw.stip[0] = hw.ssip[0] = true;
    arch_irq_poll(&pcpu[0]);
    CHECK_EQ(hw.timers, 2);
    CHECK_EQ(nr_delivered, 1);
    CHECK(!hw.ssip[0]);
    end();
}
