# SPDX-License-Identifier: MIT
"""Micro guests of what only arm64 has, or shows on machines of several kinds."""

import pytest

from loam import HOST, RESTARTING, Pool, micro
from test_micro import run

pytestmark = pytest.mark.parametrize("arch", ["arm64"])


@pytest.mark.parametrize("cpu", ["cortex-a72", "neoverse-n1"])
@pytest.mark.parametrize(
    "image,vcpus", [("undef", 1), ("gic", 2), ("smp", 3), ("cache", 1), ("isolate", 1)]
)
def test_guest_on(machine, cpu, image, vcpus):
    run(machine, image, "step=64 seconds=2 rounds=20", vcpus, 120, cpu=cpu)


@pytest.mark.parametrize(
    "image,words,vcpus", [("gic", "polite", 2), ("smp", "rounds=30", 3), ("ticker", "ticks=40", 1)]
)
def test_guest_with_null_scheduler(machine, image, words, vcpus):
    """A CPU for each vCPU, WFI is not trapped; the neighbour has the last one."""
    settings = {"cpus": 4, "pools": [Pool("fast", [1, 2, 3], "null")]}
    if image != "ticker":
        run(machine, image, words, vcpus, 60, properties={"pool": "fast"}, **settings)
        return
    m = machine(micro("idle", image, words, pool="fast"), micro("good", "ticker"), **settings)
    m.check_counting("idle", 0.3, 30)
    m.check_counting("good", 0.6, 20)


def test_gic_with_many_spis(machine):
    run(machine, "gic", "polite", 1, 60, properties={"nr_spis": 200})


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
    m.check_counting("good", 0.6)


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
    m.check_counting("good", 0.8)


def test_five_on_two_cpus(machine):
    m = machine(
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=5", memory=16) for i in range(1, 6)], cpus=2
    )
    for i in range(1, 6):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 120)
