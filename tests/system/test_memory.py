# SPDX-License-Identifier: MIT
"""Static memory, direct maps and devices of the host, as seen from inside."""

import hashlib
import os
import re

from loam import MIB, guest, micro, passthrough_pl031, passthrough_virtio


def system_ram(m, name):
    """What /proc/iomem calls System RAM: the first and last byte."""
    spans = []
    for line in m.command(name, "grep 'System RAM' /proc/iomem"):
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) : System RAM", line)
        if match:
            spans.append((int(match.group(1), 16), int(match.group(2), 16)))
    return min(s for s, _ in spans), max(e for _, e in spans)


STATIC = (0x70000000, 192 * MIB)


def test_static_memory(machine):
    """Guest-physical addresses stay the usual ones; the host's are told in the log."""
    fixed = guest("fixed", static_mem=[STATIC], memory=192)
    m = machine(fixed, micro("other", "ticker"), memory=2048)
    m.expect_said(r"^loam: {name}: 192 MiB at 0x40000000 \(machine 0x70000000\)", "fixed", 30)
    m.ready("fixed")
    first, last = system_ram(m, "fixed")
    assert first == 0x40000000 and last == first + STATIC[1] - 1
    m.expect("other", r"^tick 5 ")


def test_direct_map_of_static_memory(machine):
    m = machine(guest("direct", static_mem=[STATIC], direct_map=True, memory=192), memory=2048)
    m.ready("direct")
    first, last = system_ram(m, "direct")
    assert (first, last) == (STATIC[0], STATIC[0] + STATIC[1] - 1)


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


def test_passthrough_of_a_disk(machine, tmp_path):
    """A virtio-mmio disk, DMA and interrupt: read, written, read back."""
    disk = os.path.join(tmp_path, "disk.img")
    content = make_disk(disk)
    m = machine(
        guest("disk", direct_map=True, passthrough=passthrough_virtio(31)),
        micro("other", "ticker"),
        extra=[
            "-drive", f"if=none,id=d0,format=raw,file={disk}",
            "-device", "virtio-blk-device,drive=d0,bus=virtio-mmio-bus.31",
        ],
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
