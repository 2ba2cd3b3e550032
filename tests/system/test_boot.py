# SPDX-License-Identifier: MIT
"""Debian guests side by side, on every machine that Loam claims to run on."""

import pytest

from loam import POWER_OFF, STAYS_DOWN, guest, micro


def both_answer(m, *names):
    m.ready(*names)
    for name in names:
        assert m.command(name, "echo $((6*7))") == ["42"]
        assert m.command(name, "nproc") == ["2"]
        assert m.command(name, "cat /proc/sys/kernel/hostname; cat /proc/cmdline")[-1].endswith(
            f"loam.name={name} loam.do=shell"
        )


def test_two_guests_at_a_shell(machine):
    m = machine(guest("dom1"), guest("dom2"))
    both_answer(m, "dom1", "dom2")
    for name in ("dom1", "dom2"):
        m.tell(name, "poweroff -f")
        m.expect_said(STAYS_DOWN, name)
    m.expect_said(POWER_OFF)
    assert m.expect_exit() == 0


@pytest.mark.parametrize("cpu", ["cortex-a72", "neoverse-n1"])
def test_cpu_models(machine, cpu):
    m = machine(guest("dom1"), guest("dom2"), cpu=cpu)
    both_answer(m, "dom1", "dom2")


def test_ctrl_c_reaches_the_guest(machine):
    m = machine(guest("dom1"), guest("dom2", "count"))
    m.ready()
    m.focus("dom1")
    m.send("sleep 1000\r")
    m.collect(1)
    m.child.send("\x03")
    assert m.command("dom1", "echo alive") == ["alive"]


def test_a_long_line_of_input_arrives_whole(machine):
    m = machine(guest("dom1"))
    m.ready()
    text = "".join(chr(ord("a") + i % 26) for i in range(200))
    assert m.command("dom1", f"echo {text}") == [text]


@pytest.mark.parametrize("cpus", range(1, 9))
def test_number_of_cpus(machine, cpus):
    m = machine(
        micro("one", "ticker", "ticks=5 every=50", cpus=cpus),
        micro("two", "ticker", "ticks=5 every=50"),
        cpus=cpus,
    )
    m.expect("one", rf"ticker: start, {cpus} cpus")
    for name in ("one", "two"):
        m.expect(name, r"tick 5 ")
    m.expect_said(POWER_OFF)
    assert m.expect_exit() == 0


def test_debian_on_eight_cpus(machine):
    m = machine(guest("dom1", cpus=8), cpus=8)
    m.ready()
    assert m.command("dom1", "nproc") == ["8"]


@pytest.mark.parametrize("memory", [512, 8192, 65536])
def test_amounts_of_memory(machine, memory):
    m = machine(micro("one", "ticker", "ticks=3 every=50"), memory=memory)
    m.expect("one", r"tick 3 ")
    assert m.expect_exit() == 0


def test_guest_memory_is_what_was_asked(machine):
    m = machine(
        micro("small", "ticker", "ticks=1", memory=4),
        micro("large", "ticker", "ticks=1", memory=1536),
        memory=2048,
    )
    m.expect("small", r"ticker: start, 1 cpus, 4096 KiB")
    m.expect("large", r"ticker: start, 1 cpus, \d+ KiB")
