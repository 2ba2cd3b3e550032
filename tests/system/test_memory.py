# SPDX-License-Identifier: MIT
"""Static memory, direct maps and devices of the host, as seen from inside."""

import hashlib
import os
import re

import pytest

from loam import (
    ARCHES,
    MIB,
    both,
    guest,
    micro,
    passthrough_pl031,
    passthrough_virtio,
    passthrough_virtio_riscv64,
)


def system_ram(m, name):
    """What /proc/iomem calls System RAM: the first and last byte."""
    spans = []
    for line in m.command(name, "grep 'System RAM' /proc/iomem"):
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) : System RAM", line)
        if match:
            spans.append((int(match.group(1), 16), int(match.group(2), 16)))
    return min(s for s, _ in spans), max(e for _, e in spans)


STATIC_SIZE = 192 * MIB


@pytest.fixture
def static(arch):
    """Where static memory is in the machine."""
    return ARCHES[arch].ram_base + 768 * MIB


@both
def test_static_memory(machine, arch, static):
    """Guest-physical addresses stay the usual ones; the host's are told in the log."""
    fixed = guest("fixed", static_mem=[(static, STATIC_SIZE)], memory=192)
    m = machine(fixed, micro("other", "ticker"), memory=2048)
    usual = ARCHES[arch].ram_base  # a domain's is where the machine's is, on both
    told = rf"^loam: {{name}}: 192 MiB at {usual:#x} \(machine {static:#x}\)"
    m.expect_said(told, "fixed", 30)
    m.ready("fixed")
    first, last = system_ram(m, "fixed")
    assert first == usual and last == first + STATIC_SIZE - 1
    m.expect("other", r"^tick 5 ")


@both
def test_direct_map_of_static_memory(machine, static):
    domain = guest("direct", static_mem=[(static, STATIC_SIZE)], direct_map=True, memory=192)
    m = machine(domain, memory=2048)
    m.ready("direct")
    assert system_ram(m, "direct") == (static, static + STATIC_SIZE - 1)


@both
def test_direct_map_of_found_memory(machine):
    m = machine(micro("direct", "ticker", "ticks=3", direct_map=True), memory=1024)
    at = m.expect_said(r"^loam: {name}: 32 MiB at (0x[0-9a-f]+)", "direct", 30).group(1)
    m.expect("direct", rf"ticker: start, 1 cpus, 32768 KiB at {at}$")
    m.expect("direct", r"^tick 3 ")


def test_passthrough_of_the_clock(machine):
    """PL031: the time is the host's, and an alarm interrupts the guest."""
    m = machine(guest("clock", passthrough=passthrough_pl031()), micro("other", "ticker"))
    m.ready("clock")
    assert m.command("clock", "cat /sys/class/rtc/rtc0/name")[0].startswith("rtc-pl031")
    before = int(m.command("clock", "cat /sys/class/rtc/rtc0/since_epoch")[0])
    m.collect(2.2)
    after = int(m.command("clock", "cat /sys/class/rtc/rtc0/since_epoch")[0])
    assert 2 <= after - before <= 30
    irqs = "grep rtc-pl031 /proc/interrupts | sed 's/^[^:]*: *//' | tr -s ' ' | cut -d' ' -f1,2"
    first = sum(map(int, m.command("clock", irqs)[0].split()))
    m.command("clock", "cd /sys/class/rtc/rtc0; echo 0 >wakealarm; echo +2 >wakealarm; cd /")
    m.collect(4)
    assert sum(map(int, m.command("clock", irqs)[0].split())) == first + 1
    m.expect("other", r"^tick 10 ")


def make_disk(path):
    content = bytes(i * 7 % 251 for i in range(1024)) * 1024
    with open(path, "wb") as file:
        file.write(content)
    return content


# The slot of the disk, what is told of it, and how the machine of riscv64 is.
DISKS = [
    ("arm64", 31, passthrough_virtio(31), {}),
    ("riscv64", 7, passthrough_virtio_riscv64(7), {}),
    ("riscv64", 7, passthrough_virtio_riscv64(7, aplic=True), {"aia": "aplic-imsic", "aia_guests": 3}),
]


@pytest.mark.parametrize("arch,slot,tree,settings", DISKS, ids=["arm64", "riscv64", "riscv64-aia"])
def test_passthrough_of_a_disk(machine, tmp_path, slot, tree, settings):
    """A virtio-mmio disk, DMA and interrupt: read, written, read back."""
    disk = os.path.join(tmp_path, "disk.img")
    content = make_disk(disk)
    m = machine(
        guest("disk", direct_map=True, passthrough=tree),
        micro("other", "ticker"),
        extra=[
            "-drive", f"if=none,id=d0,format=raw,file={disk}",
            "-device", f"virtio-blk-device,drive=d0,bus=virtio-mmio-bus.{slot}",
        ],
        **settings,
    )
    m.ready("disk")
    assert m.command("disk", "cat /sys/block/vda/size") == ["2048"]
    sums = m.command("disk", "sha256sum /dev/vda")
    assert sums[0].split()[0] == hashlib.sha256(content).hexdigest()
    write = "dd of=/dev/vda seek=1024 bs=512 conv=sync,notrunc"
    m.command("disk", f"printf loam-was-here | {write}; sync")
    with open(disk, "rb") as file:
        file.seek(1024 * 512)
        assert file.read(13) == b"loam-was-here"
    m.expect("other", r"^tick 10 ")
