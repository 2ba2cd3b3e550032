# SPDX-License-Identifier: MIT
"""Micro guests that do their worst; they pass, and the neighbour ticks on.

Each runs beside a ticker that shares its CPUs: no tick may be missing or late.
"""

import pytest

from loam import HOST, RESTARTING, Pool, check_counting, micro

# image, its words, vCPUs, seconds it may take
GUESTS = [
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
]


def run(machine, image, words, vcpus, seconds, **settings):
    properties = settings.pop("properties", {})
    m = machine(
        micro("bad", image, words, cpus=vcpus, **properties), micro("good", "ticker"), **settings
    )
    result = m.expect("bad", r"^(\d+) passed, (\d+) failed", seconds)
    bad = [line.text for line in m.of("bad", r"^not ok ")]
    assert result.group(2) == "0" and not bad, bad
    m.expect("good", r"^tick 10 ")
    check_counting(m.of("good"), 0.6)
    return m


@pytest.mark.parametrize("image,words,vcpus,seconds", GUESTS)
def test_guest(machine, image, words, vcpus, seconds):
    run(machine, image, words, vcpus, seconds)


@pytest.mark.parametrize("cpu", ["cortex-a72", "neoverse-n1"])
@pytest.mark.parametrize(
    "image,vcpus", [("undef", 1), ("gic", 2), ("smp", 3), ("cache", 1), ("isolate", 1)]
)
def test_guest_on(machine, cpu, image, vcpus):
    run(machine, image, "step=64 seconds=2 rounds=20", vcpus, 120, cpu=cpu)


@pytest.mark.parametrize(
    "image,words,vcpus", [("gic", "polite", 2), ("smp", "rounds=30", 3), ("ticker", "ticks=30", 1)]
)
def test_guest_with_null_scheduler(machine, image, words, vcpus):
    """A CPU for each vCPU, WFI is not trapped; the neighbour has the last one."""
    settings = {"cpus": 4, "pools": [Pool("fast", [1, 2, 3], "null")]}
    if image != "ticker":
        run(machine, image, words, vcpus, 60, properties={"pool": "fast"}, **settings)
        return
    m = machine(micro("idle", image, words, pool="fast"), micro("good", "ticker"), **settings)
    m.expect("idle", r"^tick 30 ", 60)
    m.expect("good", r"^tick 20 ")
    check_counting(m.of("idle"), 0.3, 30)
    check_counting(m.of("good"), 0.6)


def test_gic_with_many_spis(machine):
    run(machine, "gic", "polite", 1, 60, properties={"nr_spis": 200})


def test_direct_mapped_guest_cannot_reach_the_host(machine):
    """Guest-physical is host-physical here: all of RAM and devices are probed."""
    run(
        machine, "memory", "strict from=0x0 to=0x80000000 step=0x10000", 1, 120,
        properties={"direct_map": True},
    )


def test_guest_with_sve(machine):
    run(machine, "undef", "", 1, 120, properties={"sve": 256})


def test_hypercalls_that_are_served(machine):
    """With the Xen interfaces the random arguments reach the handlers, and the console."""
    run(machine, "hypercall", "rounds=8", 2, 120, properties={"enhanced": "enabled"})


def test_enhanced_guest(machine):
    m = run(machine, "enhanced", "", 1, 60, properties={"enhanced": "enabled"})
    assert any("written through console_io" in line.text for line in m.lines)


def test_guest_without_xen_interfaces(machine):
    run(machine, "enhanced", "plain", 1, 60)


def test_crash_told_by_hypercall(machine):
    m = machine(
        micro("bad", "enhanced", "crash", enhanced="enabled", restart="on-crash"),
        micro("good", "ticker"),
    )
    for _ in range(3):
        m.expect_said(RESTARTING, "bad")
    m.expect("good", r"^tick 10 ")
    check_counting(m.of("good"), 0.6)


def test_more_lives_than_vmids(machine):
    """300 lives of 8 domains with 8-bit VMIDs: nobody sees what is another's."""
    lives = [f"life{i}" for i in range(8)]
    m = machine(
        *[micro(n, "isolate", f"id={n[4:]} seconds=0 rounds=11", memory=8, restart="always")
          for n in lives],
        micro("stays", "isolate", "id=99 seconds=4", memory=16, restart="always"),
        micro("good", "ticker"),
        cpu="cortex-a72",
    )
    while sum(len(m.said(RESTARTING, n)) for n in lives) < 300:
        m.expect(HOST, RESTARTING.format(name=r"life\d"), 30)
    m.seen["stays"] = len(m.lines)
    m.expect("stays", r"^\d+ passed, 0 failed", 60)
    bad = [x.text for x in m.lines if x.text.startswith("not ok ")]
    assert not bad, bad
    check_counting(m.of("good"), 0.8)


def test_four_that_look_the_same(machine):
    """Same addresses, different values, one CPU: nothing is mixed up."""
    m = machine(
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=5", memory=16) for i in range(1, 5)], cpus=1
    )
    for i in range(1, 5):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 120)


def test_five_on_two_cpus(machine):
    m = machine(
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=5", memory=16) for i in range(1, 6)], cpus=2
    )
    for i in range(1, 6):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 120)


def test_flood_of_text(machine):
    """Who prints without end delays nobody."""
    m = machine(micro("loud", "ticker", "every=0 ticks=4000"), micro("good", "ticker"))
    m.expect("good", r"^tick 10 ")
    m.expect("loud", r"^tick 4000 ", 60)
    check_counting(m.of("good"), 0.6)


def test_all_at_once(machine):
    """Everybody does their worst at the same time, on two CPUs, and still passes."""
    guests = {
        image: micro(image, image, words, cpus=vcpus)
        for image, words, vcpus, _ in GUESTS
        if "polite" not in words
    }
    chaos = micro("chaos", "chaos", restart="always")
    m = machine(*guests.values(), chaos, micro("good", "ticker"))
    for name in guests:
        m.expect(name, r"^\d+ passed, 0 failed", 120)
    m.expect("good", r"^tick 50 ", 60)
    check_counting(m.of("good"), 1.0, 50)


def test_chaos(machine):
    """Random instructions: whatever becomes of them, the neighbour ticks."""
    m = machine(
        micro("chaos1", "chaos", restart="always"),
        micro("chaos2", "chaos", restart="always", sve=256),
        micro("good", "ticker", "ticks=100"),
    )
    m.expect("good", r"^tick 100 ", 120)
    check_counting(m.of("good"), 0.8, 100)
    assert m.of("chaos1", r"seed=")


@pytest.mark.long
def test_chaos_for_minutes(machine):
    m = machine(
        micro("chaos1", "chaos", restart="always"),
        micro("chaos2", "chaos", restart="always", sve=256),
        micro("good", "ticker", "ticks=3000"),
    )
    m.expect("good", r"^tick 3000 ", 600)
    check_counting(m.of("good"), 1.0, 3000)


@pytest.mark.long
@pytest.mark.parametrize("image,words,vcpus", [("gic", "step=4", 2), ("hypercall", "rounds=40", 2)])
def test_guest_long(machine, image, words, vcpus):
    run(machine, image, words, vcpus, 900)
