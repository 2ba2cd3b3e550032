# SPDX-License-Identifier: MIT
"""Micro guests of what only riscv64 has, on machines with and without Sstc, and with each kind
of interrupt controller.
"""

import pytest

from loam import micro
from test_micro import run

pytestmark = pytest.mark.parametrize("arch", ["riscv64"])

# Without Sstc, without Sv48, with V, whose guests' illegal instructions Loam sees first; with
# interrupts by message; host's files for guests, too.
MACHINES = {
    "no-sstc": {"cpu": "rv64,sstc=off"},
    "sv39": {"cpu": "rv64,sv48=off,sv57=off"},
    "no-svadu": {"cpu": "rv64,svadu=off"},
    "aplic": {"aia": "aplic"},
    "vector": {"cpu": "rv64,v=true,vlen=256"},
    "imsic": {"aia": "aplic-imsic"},
    "imsic-guests": {"aia": "aplic-imsic", "aia_guests": 3},
}


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("image,vcpus", [("sbi", 2), ("intc", 1), ("smp", 3)])
def test_guest_on(machine, kind, image, vcpus):
    run(machine, image, "rounds=5 accesses=5000", vcpus, 120, **MACHINES[kind])


def test_hypercalls_that_are_served(machine):
    """With the Xen interfaces the random arguments reach the handlers."""
    m = run(machine, "hypercall", "rounds=20", 1, 120, properties={"enhanced": "enabled"})
    assert any("written through console_io" in line.text for line in m.lines)


@pytest.mark.parametrize("cpus", [1, 2])
def test_floating_point_of_several(machine, cpus):
    """Same instructions, different values, fewer CPUs than guests: nothing is mixed up."""
    m = machine(*[micro(f"fp{i}", "fp", f"id={i} seconds=5") for i in range(1, 4)], cpus=cpus)
    for i in range(1, 4):
        m.expect(f"fp{i}", r"^4 passed, 0 failed", 120)


def test_cycles_of_others_are_not_counted(machine):
    m = machine(micro("pmu", "pmu", "shared rounds=1000"), micro("busy", "ticker", "busy"), cpus=1)
    assert m.expect("pmu", r"^\d+ passed, (\d+) failed", 60).group(1) == "0"
    assert not m.of("pmu", r"^not ok ")


@pytest.mark.parametrize("cpus,vlen", [(1, 256), (2, 128)])
def test_vector_registers_of_several(machine, cpus, vlen):
    """The same of V: who comes late finds zeros, others do not use it, nobody's are mixed up."""
    guests = [micro(f"v{i}", "vector", f"id={i} seconds=5", cpus=2) for i in range(1, 3)]
    guests += [
        micro("late", "vector", "id=3 seconds=2 wait=2000"),
        micro("fp", "fp", "id=4 seconds=5"),
    ]
    m = machine(*guests, micro("good", "ticker"), cpus=cpus, cpu=f"rv64,v=true,vlen={vlen}")
    for guest in guests:
        assert m.expect(guest.name, r"^\d+ passed, (\d+) failed", 120).group(1) == "0"
    m.expect("good", r"^tick 10 ")


def test_random_instructions_of_vector(machine):
    run(machine, "csr", "words=5000", 1, 120, **MACHINES["vector"])


def test_no_vector_registers(machine):
    """On a hart without V each of its instructions is illegal."""
    run(machine, "vector", "absent", 1, 60)


def test_busy_neighbours(machine):
    """Those who never wait share the CPUs with one who does."""
    m = machine(
        *[micro(f"busy{i}", "ticker", "busy ticks=40") for i in range(3)], micro("good", "ticker")
    )
    for i in range(3):
        m.check_counting(f"busy{i}", 0.8, 30, 120)
    m.check_counting("good", 0.8, 20)
