# SPDX-License-Identifier: MIT
"""Micro guests of what only riscv64 has, on machines with and without Sstc, and with each kind
of interrupt controller.
"""

import pytest

from loam import check_counting, micro
from test_micro import run

pytestmark = pytest.mark.parametrize("arch", ["riscv64"])

# Without Sstc, without Sv48, with interrupts by message; host's files for guests, too.
MACHINES = {
    "no-sstc": {"cpu": "rv64,sstc=off"},
    "sv39": {"cpu": "rv64,sv48=off,sv57=off"},
    "no-svadu": {"cpu": "rv64,svadu=off"},
    "aplic": {"aia": "aplic"},
    "imsic": {"aia": "aplic-imsic"},
    "imsic-guests": {"aia": "aplic-imsic", "aia_guests": 3},
}


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("image,vcpus", [("sbi", 2), ("intc", 1), ("smp", 3)])
def test_guest_on(machine, kind, image, vcpus):
    run(machine, image, "rounds=5 accesses=5000", vcpus, 120, **MACHINES[kind])


@pytest.mark.parametrize("image", ["hypercall", "sbi"])
def test_hypercalls_that_are_served(machine, image):
    """With the Xen interfaces the random arguments reach the handlers."""
    m = run(machine, image, "rounds=20", 1, 120, properties={"enhanced": "enabled"})
    if image == "hypercall":
        assert any("written through console_io" in line.text for line in m.lines)


@pytest.mark.parametrize("cpus", [1, 2])
def test_floating_point_of_several(machine, cpus):
    """Same instructions, different values, fewer CPUs than guests: nothing is mixed up."""
    m = machine(*[micro(f"fp{i}", "fp", f"id={i} seconds=5") for i in range(1, 4)], cpus=cpus)
    for i in range(1, 4):
        m.expect(f"fp{i}", r"^4 passed, 0 failed", 120)


def test_busy_neighbours(machine):
    """Those who never wait share the CPUs with one who does."""
    m = machine(
        *[micro(f"busy{i}", "ticker", "busy ticks=30") for i in range(3)], micro("good", "ticker")
    )
    for i in range(3):
        m.expect(f"busy{i}", r"^tick 30 ", 120)
        check_counting(m.of(f"busy{i}"), 0.8, 30)
    m.expect("good", r"^tick 20 ")
    check_counting(m.of("good"), 0.8, 20)
