# SPDX-License-Identifier: MIT
"""riscv64's micro guests that do their worst; they pass, and the neighbour ticks on.

As test_micro.py, on machines with and without Sstc, and with each kind of
interrupt controller.
"""

import pytest

from loam import CRASHED, RESTARTING, check_counting, micro
from test_micro import run

pytestmark = pytest.mark.parametrize("arch", ["riscv64"])

# image, its words, vCPUs, seconds it may take
GUESTS = [
    ("csr", "words=5000", 1, 120),
    ("sbi", "rounds=10", 2, 120),
    ("intc", "", 1, 60),
    ("access", "", 1, 60),
    ("fp", "seconds=3", 1, 60),
    ("pmu", "", 2, 60),
    ("hypercall", "", 1, 60),
    ("memory", "strict", 1, 60),
    ("smp", "rounds=50", 4, 120),
    ("isolate", "seconds=3", 1, 60),
]
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


@pytest.mark.parametrize("image,words,vcpus,seconds", GUESTS)
def test_guest(machine, image, words, vcpus, seconds):
    run(machine, image, words, vcpus, seconds)


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


def test_direct_mapped_guest_cannot_reach_the_host(machine):
    """Guest-physical is host-physical here: all of RAM and devices are probed."""
    run(
        machine, "memory", "strict from=0x0 to=0xc0000000 step=0x10000", 1, 120,
        properties={"direct_map": True},
    )


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


def test_four_that_look_the_same(machine):
    """Same addresses, different values, one CPU: nothing is mixed up."""
    m = machine(
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=5", memory=16) for i in range(1, 5)], cpus=1
    )
    for i in range(1, 5):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 120)


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


@pytest.mark.parametrize("end", ["off", "reset"])
def test_restarts(machine, end):
    """A guest that ends comes back; the neighbour ticks."""
    m = machine(
        micro("bad", "ticker", f"every=5 ticks=3 {end}", restart="always"),
        micro("good", "ticker"),
    )
    for _ in range(20):
        m.expect_said(RESTARTING, "bad")
    m.expect("good", r"^tick 10 ")
    check_counting(m.of("good"), 0.8)


def test_hung_domain_hurts_nobody(machine):
    """Masked interrupts, no timer, and a vector where nothing is: traps without end."""
    m = machine(
        micro("wild", "ticker", "ticks=1 wild", cpus=2),
        micro("idle", "ticker", "ticks=1 hang"),
        micro("crash", "ticker", "ticks=1 crash"),
        micro("counts", "ticker"),
    )
    m.expect("crash", "crashing")
    m.expect("counts", r"^tick 50 ", 60)
    check_counting(m.of("counts"), 0.6, 50)
    assert not m.said(CRASHED, "counts")


def test_flood_of_text(machine):
    """Who prints without end delays nobody."""
    m = machine(micro("loud", "ticker", "every=0 ticks=4000"), micro("good", "ticker"))
    m.expect("good", r"^tick 10 ")
    m.expect("loud", r"^tick 4000 ", 60)
    check_counting(m.of("good"), 0.6)


def test_chaos(machine):
    """Random instructions: whatever becomes of them, the neighbour ticks."""
    m = machine(
        micro("chaos1", "chaos", restart="always"),
        micro("chaos2", "chaos", restart="always"),
        micro("good", "ticker", "ticks=100"),
    )
    m.expect("good", r"^tick 100 ", 120)
    check_counting(m.of("good"), 0.8, 100)
    assert m.of("chaos1", r"seed=")


def test_all_at_once(machine):
    """Everybody does their worst at the same time, on two CPUs, and still passes."""
    guests = {
        image: micro(image, image, words, cpus=vcpus) for image, words, vcpus, _ in GUESTS
    }
    chaos = micro("chaos", "chaos", restart="always")
    m = machine(*guests.values(), chaos, micro("good", "ticker"))
    for name in guests:
        m.expect(name, r"^\d+ passed, 0 failed", 240)
    m.expect("good", r"^tick 50 ", 60)
    check_counting(m.of("good"), 1.0, 50)


@pytest.mark.long
@pytest.mark.parametrize("image,words", [("csr", "rounds=10 words=50000"), ("sbi", "rounds=300")])
def test_guest_long(machine, image, words):
    run(machine, image, words, 1, 900)


@pytest.mark.long
def test_chaos_for_minutes(machine):
    m = machine(
        micro("chaos1", "chaos", restart="always"),
        micro("chaos2", "chaos", restart="always"),
        micro("good", "ticker", "ticks=3000"),
    )
    m.expect("good", r"^tick 3000 ", 600)
    check_counting(m.of("good"), 1.0, 3000)
