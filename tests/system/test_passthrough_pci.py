# SPDX-License-Identifier: MIT
"""PCI devices behind the RISC-V IOMMU, in the hands of boot-time domains."""

import hashlib
import os

import pytest

from loam import RESTARTING, check_counting, guest, micro
from test_memory import make_disk

CONTROLLERS = [
    {"aia": "none"},
    {"aia": "aplic-imsic"},
    {"aia": "aplic-imsic", "aia_guests": 3},
]
NAMES = ["plic", "imsic", "imsic-files"]
DISK = "/sys/bus/pci/devices/0000:00:01.0"


def disk_args(path, name="d0", kind="virtio-blk-pci", where="addr=1"):
    """QEMU's arguments for a disk on the PCI bus; a virtio one uses the IOMMU when told to."""
    virtio = ",disable-legacy=on,iommu_platform=on" if kind.startswith("virtio") else f",serial={name}"
    return [
        "-drive", f"if=none,id={name},format=raw,file={path}",
        "-device", f"{kind},drive={name},{where}{virtio}",
    ]


def check_disk(m, name, device, content, path, mark):
    """The known content is read, a mark is written behind it and arrives in the file."""
    sums = m.command(name, f"sha256sum {device}")
    assert sums[0].split()[0] == hashlib.sha256(content).hexdigest()
    write = f"dd of={device} seek=1024 bs=512 conv=sync,notrunc"
    m.command(name, f"printf {mark} | {write}; sync")
    with open(path, "rb") as file:
        file.seek(1024 * 512)
        assert file.read(len(mark)) == mark.encode()
    # As it was, for who reads next.
    with open(path, "r+b") as file:
        file.write(content)


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
        m.command("disk", "grep -i virtio /proc/interrupts")
        check_disk(m, "disk", "/dev/vda", content, path, f"life-{life}")
        irqs = "grep virtio0 /proc/interrupts | sed 's/^[^:]*: *//' | tr -s ' ' | cut -d' ' -f1,2"
        assert sum(map(int, m.command("disk", irqs)[0].split())) > 10
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
    m.expect("good", r"^tick 50 ", 60)
    check_counting(m.of("good"), 0.6, 50)
    m.expect_said(r"more faults were not told")
    assert len(m.said(r"iommu: 0000:00:01.0 of dma: .* refused")) < 200
