# SPDX-License-Identifier: MIT
"""PCI devices behind the RISC-V IOMMU, in the hands of boot-time domains."""

import hashlib
import os

import pytest

from loam import RESTARTING, STAYS_DOWN, both, guest, micro
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
