# SPDX-License-Identifier: MIT
"""Debian guests side by side, on every machine that Loam claims to run on."""

import pytest

from loam import POWER_OFF, STAYS_DOWN, both, guest, micro


@both
def test_two_guests_at_a_shell(machine):
    m = machine(guest("dom1"), guest("dom2"))
    m.ready()
    m.answers("dom1", "dom2")
    for name in ("dom1", "dom2"):
        m.tell(name, "poweroff -f")
        m.expect_said(STAYS_DOWN, name)
    m.expect_said(POWER_OFF)
    assert m.expect_exit() == 0


@pytest.mark.parametrize("cpu", ["cortex-a72", "neoverse-n1"])
def test_cpu_models(machine, cpu):
    m = machine(guest("dom1"), guest("dom2"), cpu=cpu)
    m.ready()
    m.answers("dom1", "dom2")


@both
def test_ctrl_c_reaches_the_guest(machine):
    m = machine(guest("dom1"), guest("dom2", "count"))
    m.ready()
    m.focus("dom1")
    m.send("sleep 1000\r")
    m.collect(1)
    m.child.send("\x03")
    assert m.command("dom1", "echo alive") == ["alive"]


@both
def test_a_long_line_of_input_arrives_whole(machine):
    m = machine(guest("dom1"))
    m.ready()
    text = "".join(chr(ord("a") + i % 26) for i in range(200))
    assert m.command("dom1", f"echo {text}") == [text]


@pytest.mark.parametrize(
    "arch,cpus", [("arm64", n) for n in range(1, 9)] + [("riscv64", n) for n in (1, 3, 8)]
)
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


@both
def test_debian_on_eight_cpus(machine):
    """A minute on two cores: the emulator's CPUs wait for each other."""
    m = machine(guest("dom1", cpus=8), cpus=8)
    m.ready(timeout=300)
    assert m.command("dom1", "nproc", 300) == ["8"]


@both
@pytest.mark.parametrize("memory", [512, 8192, 65536])
def test_amounts_of_memory(machine, memory):
    m = machine(micro("one", "ticker", "ticks=3 every=50"), memory=memory)
    m.expect("one", r"tick 3 ")
    assert m.expect_exit() == 0


@both
def test_vcpus_go_and_come_back(machine):
    """A guest turns its vCPUs off and on; the other's time goes on."""
    m = machine(guest("dom1", cpus=4), guest("dom2", "count"), cpus=4)
    m.ready()
    online = "/sys/devices/system/cpu/cpu{}/online"
    for vcpus in ((1,), (3, 2), (1, 2, 3)):
        for vcpu in vcpus:
            m.command("dom1", f"echo 0 >{online.format(vcpu)}")
        assert m.command("dom1", "nproc") == [str(4 - len(vcpus))]
        for vcpu in vcpus:
            m.command("dom1", f"echo 1 >{online.format(vcpu)}")
        assert m.command("dom1", "nproc") == ["4"]
        # Each of them runs again: a program that may run nowhere else ends.
        for vcpu in vcpus:
            assert m.command("dom1", f"taskset {1 << vcpu:x} echo on {vcpu}") == [f"on {vcpu}"]
    assert m.command("dom1", "dmesg | grep -iE 'stall|WARNING:|BUG:'") == []
    m.check_counting("dom2", 0.6)


def test_guest_memory_is_what_was_asked(machine):
    m = machine(
        micro("small", "ticker", "ticks=1", memory=4),
        micro("large", "ticker", "ticks=1", memory=1536),
        memory=2048,
    )
    m.expect("small", r"ticker: start, 1 cpus, 4096 KiB")
    m.expect("large", r"ticker: start, 1 cpus, \d+ KiB")
