# SPDX-License-Identifier: MIT
"""What only riscv64 has: three kinds of interrupt controllers, and optional extensions."""

import pytest

from loam import RESTARTING, STAYS_DOWN, guest

pytestmark = pytest.mark.parametrize("arch", ["riscv64"])

# The machine's controllers, and the one of guests there: an APLIC only with guest files.
CONTROLLERS = [
    ({"aia": "none"}, "PLIC"),
    ({"aia": "aplic"}, "PLIC"),
    ({"aia": "aplic-imsic"}, "PLIC"),
    ({"aia": "aplic-imsic", "aia_guests": 3}, "APLIC"),
]


@pytest.mark.parametrize("cpus", [2, 4])
@pytest.mark.parametrize(
    "settings,controller", CONTROLLERS, ids=["plic", "aplic", "imsic", "imsic-files"]
)
def test_interrupt_controllers(machine, cpus, settings, controller):
    """Two Debian guests at a shell, vCPUs go and come back; one reboots, then goes for good."""
    m = machine(guest("dom1", restart="on-crash"), guest("dom2"), cpus=cpus, **settings)
    m.ready()
    m.answers("dom1", "dom2")
    online = "/sys/devices/system/cpu/cpu1/online"
    for name in ("dom1", "dom2"):
        [serial] = m.command(name, "grep ttyS0 /proc/interrupts")
        assert controller in serial.replace("-", " ").split(), serial
        for _ in range(3):
            off_and_on = f"echo 0 >{online}; nproc; echo 1 >{online}; taskset 2 nproc"
            assert m.command(name, off_and_on) == ["1", "1"]
    m.tell("dom1", "reboot -f")
    m.expect_said(RESTARTING, "dom1")
    m.answers("dom2")
    m.ready("dom1")
    m.answers("dom1", "dom2")
    m.tell("dom1", "poweroff -f")
    m.expect_said(STAYS_DOWN, "dom1")
    m.answers("dom2")


# What a CPU may lack or have; of the last two, page tables are smaller than Sv57.
CPUS = [
    "rv64,sstc=off",
    "rv64,svpbmt=on",
    "rv64,sv57=off",
    "rv64,sv57=off,sv48=off",
]


@pytest.mark.parametrize("cpu", CPUS)
def test_cpu_options(machine, cpu):
    m = machine(guest("dom1"), guest("dom2"), cpu=cpu)
    m.ready()
    m.answers("dom1", "dom2")


@pytest.mark.parametrize("cpu,told", [("rv64,v=true,vlen=256", True), ("rv64", False)])
def test_vector(machine, cpu, told):
    """Debian's kernel is told of V where the harts have it, and gets along with it."""
    m = machine(guest("dom1"), guest("dom2"), cpu=cpu)
    m.ready()
    m.answers("dom1", "dom2")
    for name in ("dom1", "dom2"):
        lines = m.command(name, "grep '^isa' /proc/cpuinfo")
        assert len(lines) == 2
        for line in lines:
            letters = line.split()[-1].split("_")[0]
            assert letters.startswith("rv64imafdc") and ("v" in letters[4:]) == told, line


def test_counters(machine):
    """Debian's kernel finds the counters of SBI PMU."""
    m = machine(guest("dom1"))
    m.ready()
    assert m.command("dom1", "dmesg | grep -c 'riscv-pmu-sbi: 8 firmware and 2 hardware'") == ["1"]


def test_more_vcpus_than_guest_files(machine):
    """Some vCPUs have an interrupt file of the hart, some are helped by software; all get on."""
    m = machine(
        guest("dom1", cpus=4), guest("dom2", "count", cpus=4), aia="aplic-imsic", aia_guests=1
    )
    m.ready()
    assert m.command("dom1", "nproc") == ["4"]
    for vcpu in range(4):
        assert m.command("dom1", f"taskset {1 << vcpu:x} echo on {vcpu}") == [f"on {vcpu}"]
    m.check_counting("dom2", 0.6, 20)
