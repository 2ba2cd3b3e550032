# SPDX-License-Identifier: MIT
"""The control domain itself, without tools: Debian's kernel as packaged, a small ramdisk, a shell.

Its lines have no name in front, so they are found among the hypervisor's.
"""

import os

import pytest

from loam import HOST, OUT, Dom0, micro


def small(**settings) -> Dom0:
    """A dom0 that is up sooner than the one with Xen's tools."""
    settings.setdefault("ramdisk", os.path.join(OUT, "guest", "initrd.cpio.gz"))
    return Dom0(**settings)


def ready(m, cpus):
    m.expect(HOST, rf"^guest guest: ready, {cpus} cpus", 120)


def types(m, line):
    m.collect(2)  # until the shell reads
    m.child.send(f"{line}\r")


@pytest.mark.parametrize(
    "cpu, cpus", [("cortex-a72", 1), ("neoverse-n1", 2), ("max", 8)], ids=lambda v: str(v)
)
def test_processors(machine, cpu, cpus):
    m = machine(dom0=small(cpus=cpus), cpus=cpus, cpu=cpu)
    ready(m, cpus)
    types(m, "echo $((6*7)); cat /sys/hypervisor/type")
    m.expect(HOST, r"^42$")
    m.expect(HOST, r"^xen$")


@pytest.mark.parametrize("memory", [256, 1700])
def test_memory(machine, memory):
    m = machine(dom0=small(memory=memory, guest_loader=True), memory=2048)
    m.expect(HOST, rf"^loam: dom0: {memory} MiB at ")
    ready(m, 2)
    assert not m.said("loam: warning")


@pytest.mark.parametrize(
    "line, said",
    [
        ("poweroff -f", "powered off: the machine goes off"),
        ("reboot -f", "asked for a reset: the machine is reset"),
        # Debian's kernel panics without a word to the hypervisor, then asks for a reset.
        ("echo c > /proc/sysrq-trigger", "asked for a reset: the machine is reset"),
    ],
    ids=["off", "reset", "panic"],
)
def test_the_machine_ends_with_it(machine, line, said):
    m = machine(dom0=small(bootargs="panic=1"))
    ready(m, 2)
    types(m, line)
    m.expect(HOST, rf"^loam: (error: )?dom dom0: {said}")
    m.expect_exit()


def test_beside_two_domains(machine):
    m = machine(micro("one", "ticker"), micro("two", "ticker"), dom0=small(), memory=1536)
    m.expect("one", r"^tick 3 ", 60)
    m.expect("two", r"^tick 3 ", 60)
    ready(m, 2)
    m.expect("two", r"^tick ", 60)
    types(m, "echo $((6*7))")
    m.expect(HOST, r"^42$")


def test_no_kernel_for_it_costs_nobody_else(machine, tmp_path):
    path = os.path.join(tmp_path, "text")
    with open(path, "w", encoding="ascii") as file:
        file.write("This is no kernel.\n" * 1000)
    m = machine(micro("good", "ticker"), dom0=small(kernel=path))
    m.complaint("chosen", "multiboot,kernel")
    m.expect("good", r"^tick 3 ", 60)
