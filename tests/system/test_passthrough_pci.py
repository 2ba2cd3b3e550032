# SPDX-License-Identifier: MIT
"""PCI devices behind the RISC-V IOMMU, in the hands of boot-time domains."""

import hashlib
import os

import pytest

from loam import RESTARTING, STAYS_DOWN, guest, micro
from test_memory import make_disk

CONTROLLERS = [
    {"aia": "none"},
    {"aia": "aplic-imsic"},
    {"aia": "aplic-imsic", "aia_guests": 3},
]
NAMES = ["plic", "imsic", "imsic-files"]
DISK = "/sys/bus/pci/devices/0000:00:01.0"


def disk_args(path, name="d0", slot=1):
    """QEMU's arguments for a disk on the PCI bus; it uses the IOMMU when it is told to."""
    return [
        "-drive", f"if=none,id={name},format=raw,file={path}",
        "-device", f"virtio-blk-pci,drive={name},addr={slot},disable-legacy=on,iommu_platform=on",
    ]


def check_disk(m, name, content, path, mark):
    """The known content is read, a mark is written behind it and arrives in the file."""
    m.command(name, "echo 3 >/proc/sys/vm/drop_caches")  # from the disk, not from memory
    sums = m.command(name, "sha256sum /dev/vda")
    assert sums[0].split()[0] == hashlib.sha256(content).hexdigest()
    write = "dd of=/dev/vda seek=1024 bs=512 conv=sync,notrunc"
    m.command(name, f"printf {mark} | {write}; sync")
    with open(path, "rb") as file:
        file.seek(1024 * 512)
        assert file.read(len(mark)) == mark.encode()
    # As it was, for who reads next.
    with open(path, "r+b") as file:
        file.write(content)


def interrupts(m, name):
    """How many interrupts of its disk the guest has counted, on both of its vCPUs."""
    line = m.command(name, "grep virtio0 /proc/interrupts")[0]
    return sum(map(int, line.split()[1:3]))


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("settings", CONTROLLERS, ids=NAMES)
def test_virtio_disk(machine, tmp_path, settings):
    """The guest sees its device alone, by its interrupt line; it comes back after a restart."""
    path = os.path.join(tmp_path, "disk.img")
    content = make_disk(path)
    m = machine(
        guest("disk", pci=["0000:00:01.0"], restart="always"),
        micro("other", "ticker"),
        iommu=True,
        extra=disk_args(path) + ["-device", "virtio-rng-pci,addr=2,disable-legacy=on"],
        **settings,
    )
    m.ready("disk")
    for life in (1, 2):
        assert m.command("disk", "ls /sys/bus/pci/devices") == ["0000:00:01.0"]
        assert m.command("disk", f"cat {DISK}/vendor {DISK}/device") == ["0x1af4", "0x1042"]
        assert m.command("disk", "cat /sys/block/vda/size") == ["2048"]
        before = interrupts(m, "disk")
        check_disk(m, "disk", content, path, f"life-{life}")
        assert interrupts(m, "disk") > before
        if life == 1:
            m.tell("disk", "reboot -f")
            m.expect_said(RESTARTING, "disk")
            m.ready("disk")
    m.expect("other", r"^tick 10 ")
    assert not m.said(r"^loam: .*iommu: .* refused")


ENTROPY = ["-device", "virtio-rng-pci,addr=1,disable-legacy=on,iommu_platform=on"]
REFUSED = r"^loam: .*iommu: 0000:00:01.0 of dma: write at {address} refused: not mapped"


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("settings", CONTROLLERS[:2], ids=NAMES[:2])
@pytest.mark.parametrize("mmu", [None, "riscv,sv48", "riscv,sv57"])
def test_dma_elsewhere(machine, settings, mmu):
    """A device that writes where its domain has nothing is stopped, told of, and hurts nobody."""
    where = 0x9100_0000  # RAM of the machine, none of the domain's
    extra = f'mmu-type = "{mmu}";' if mmu else ""
    m = machine(
        micro("dma", "dma", f"bars target={where:#x} targets=3", pci=["0000:00:01.0"], extra=extra),
        *[micro(f"iso{i}", "isolate", f"id={i} seconds=2", memory=64) for i in range(3)],
        iommu=True,
        extra=ENTROPY,
        **settings,
    )
    m.expect("dma", r"^6 passed, 0 failed")
    for page in range(3):
        m.expect_said(REFUSED.format(address=f"{where + page * 4096:#x}"))
    assert len(m.said(r"BAR \d at .* is not mapped")) == 1
    for i in range(3):
        m.expect(f"iso{i}", r"^5 passed, 0 failed", 60)


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("settings", CONTROLLERS[:2], ids=NAMES[:2])
def test_flood_of_faults(machine, settings):
    """Who makes faults without end is told of now and then, and delays nobody."""
    m = machine(
        micro("dma", "dma", "again targets=64", pci=["0000:00:01.0"]),
        micro("good", "ticker"),
        iommu=True,
        extra=ENTROPY,
        **settings,
    )
    m.check_counting("good", 0.6, 50)
    m.expect_said(r"more faults were not told")
    assert len(m.said(r"iommu: 0000:00:01.0 of dma: .* refused")) < 200


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("settings", CONTROLLERS[:2], ids=NAMES[:2])
def test_disks_of_two_domains(machine, tmp_path, settings):
    """Each has its own disk, where the other has its; one powers off, the other's goes on."""
    paths = [os.path.join(tmp_path, f"disk{i}.img") for i in (1, 2)]
    content = [make_disk(paths[0]), make_disk(paths[1])[::-1]]
    with open(paths[1], "wb") as file:
        file.write(content[1])
    m = machine(
        guest("one", pci=["0000:00:01.0"]),
        guest("two", pci=["00:02.0"]),
        iommu=True,
        extra=disk_args(paths[0], "d1", 1) + disk_args(paths[1], "d2", 2),
        **settings,
    )
    m.ready()
    for i, name in enumerate(("one", "two")):
        assert m.command(name, "ls /sys/bus/pci/devices") == ["0000:00:01.0"]
        check_disk(m, name, content[i], paths[i], f"of-{name}")
    m.tell("one", "poweroff -f")
    m.expect_said(STAYS_DOWN, "one")
    check_disk(m, "two", content[1], paths[1], "still")
    assert not m.said(r"^loam: .*iommu: .* refused")


# What a node asks for, and what is said of it.
REFUSALS = [
    ("0000:00:01.0", False, "no IOMMU guards the device"),
    ("0000:00:1e.0", True, "there is no device 0000:00:1e.0 on a root bus that is known"),
    ("the first disk", True, "is no address as 0000:00:01.0"),
    ("0000:00:02.0", True, "0000:00:02.0 is given to good"),
    ("0000:00:06.0", True, "0000:00:06.0: its interrupt line 34 is shared with a device of good"),
]


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("device,iommu,message", REFUSALS, ids=["iommu", "absent", "word", "taken", "line"])
def test_refused_by_name(machine, device, iommu, message):
    """The node, the property and the reason are told; the other domain starts."""
    devices = [f"virtio-rng-pci,addr={slot},disable-legacy=on,iommu_platform=on" for slot in (1, 2, 6)]
    m = machine(
        micro("good", "ticker", "ticks=3", pci=["0000:00:02.0"] if iommu else []),
        micro("bad", "ticker", pci=[device]),
        iommu=iommu,
        extra=[word for one in devices for word in ("-device", one)],
    )
    assert message in m.complaint("/chosen/bad", "loam,pci")
    m.expect("good", r"^tick 3 ")


@pytest.mark.parametrize("arch", ["riscv64"])
def test_forced_without_an_iommu(machine, tmp_path):
    """Who says so, and is mapped directly, has the device without a guard; that is told."""
    path = os.path.join(tmp_path, "disk.img")
    content = make_disk(path)
    m = machine(
        guest("disk", direct_map=True, pci=["0000:00:01.0"], extra="xen,force-assign-without-iommu;"),
        extra=disk_args(path),
    )
    m.expect_said(r"^loam: {name}: 0000:00:01.0 can reach all memory", "disk")
    m.ready("disk")
    check_disk(m, "disk", content, path, "forced")
