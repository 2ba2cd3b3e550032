# SPDX-License-Identifier: MIT
"""Micro guests that do their worst; they pass, and the neighbour ticks on.

Each runs beside a ticker that shares its CPUs: no tick may be missing or late. What only one
architecture has is in test_arm64.py and test_riscv64.py.
"""

import pytest

from loam import both, micro

# image, its words, vCPUs, seconds it may take
GUESTS = {
    "arm64": [
        ("undef", "", 1, 120),
        ("memory", "strict from=0x40000000 to=0x80000000 step=0x100000", 1, 60),
        ("syndrome", "", 1, 60),
        ("gic", "step=16", 2, 120),
        ("gic", "polite", 1, 60),
        ("hypercall", "rounds=2", 2, 120),
        ("smp", "rounds=50", 4, 120),
        ("smp", "rounds=100", 2, 120),
        ("cache", "", 1, 60),
        ("isolate", "seconds=3", 1, 60),
    ],
    "riscv64": [
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
    ],
}
GUESTS_LONG = [
    ("arm64", "gic", "step=4", 2),
    ("arm64", "hypercall", "rounds=40", 2),
    ("riscv64", "csr", "rounds=10 words=50000", 1),
    ("riscv64", "sbi", "rounds=300", 1),
]
# Properties of the second guest of random instructions.
CHAOS = {"arm64": {"sve": 256}, "riscv64": {}}
# Where RAM of the machine ends.
RAM_END = {"arm64": 0x80000000, "riscv64": 0xC0000000}


def run(machine, image, words, vcpus, seconds, **settings):
    properties = settings.pop("properties", {})
    m = machine(
        micro("bad", image, words, cpus=vcpus, **properties), micro("good", "ticker"), **settings
    )
    result = m.expect("bad", r"^(\d+) passed, (\d+) failed", seconds)
    bad = [line.text for line in m.of("bad", r"^not ok ")]
    assert result.group(2) == "0" and not bad, bad
    m.check_counting("good", 0.6)
    return m


@pytest.mark.parametrize(
    "arch,image,words,vcpus,seconds", [(arch, *row) for arch in GUESTS for row in GUESTS[arch]]
)
def test_guest(machine, image, words, vcpus, seconds):
    run(machine, image, words, vcpus, seconds)


@both
def test_direct_mapped_guest_cannot_reach_the_host(machine, arch):
    """Guest-physical is host-physical here: all of RAM and devices are probed."""
    run(
        machine, "memory", f"strict from=0x0 to={RAM_END[arch]:#x} step=0x10000", 1, 120,
        properties={"direct_map": True},
    )


@both
def test_four_that_look_the_same(machine):
    """Same addresses, different values, one CPU: nothing is mixed up."""
    m = machine(
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=5", memory=16) for i in range(1, 5)], cpus=1
    )
    for i in range(1, 5):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 120)


@both
def test_flood_of_text(machine):
    """Who prints without end delays nobody."""
    m = machine(micro("loud", "ticker", "every=0 ticks=4000"), micro("good", "ticker"))
    m.expect("loud", r"^tick 4000 ", 60)
    m.check_counting("good", 0.6)


@both
def test_all_at_once(machine, arch):
    """Everybody does their worst at the same time, on two CPUs, and still passes."""
    guests = {
        image: micro(image, image, words, cpus=vcpus)
        for image, words, vcpus, _ in GUESTS[arch]
        if "polite" not in words
    }
    chaos = micro("chaos", "chaos", restart="always")
    m = machine(*guests.values(), chaos, micro("good", "ticker"))
    for name in guests:
        m.expect(name, r"^\d+ passed, 0 failed", 240)
    m.check_counting("good", 1.0, 50)


def chaos(machine, arch, ticks, gap, timeout):
    """Random instructions: whatever becomes of them, the neighbour ticks."""
    m = machine(
        micro("chaos1", "chaos", restart="always"),
        micro("chaos2", "chaos", restart="always", **CHAOS[arch]),
        micro("good", "ticker", f"ticks={ticks + 10}"),
    )
    m.check_counting("good", gap, ticks, timeout)
    assert m.of("chaos1", r"seed=")


@both
def test_chaos(machine, arch):
    chaos(machine, arch, 100, 0.8, 120)


@pytest.mark.long
@both
def test_chaos_for_minutes(machine, arch):
    chaos(machine, arch, 3000, 1.0, 600)


@pytest.mark.long
@pytest.mark.parametrize("arch,image,words,vcpus", GUESTS_LONG)
def test_guest_long(machine, image, words, vcpus):
    run(machine, image, words, vcpus, 900)
