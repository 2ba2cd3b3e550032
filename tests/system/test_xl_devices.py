# SPDX-License-Identifier: MIT
"""PV disks and networks of Debian guests, with Debian's backends in dom0."""

import os

import pytest

from loam import MIB

DISK = 256 * MIB


def disk(path):
    """QEMU's arguments for a disk of dom0, 256 MiB of nothing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(DISK)
    drive = f"if=none,id=disk,format=raw,file={path}"
    return ["-drive", drive, "-device", "virtio-blk-device,drive=disk"]


@pytest.mark.long
def test_disk(dom0, tmp_path):
    """A guest fills 256 MiB; dom0 reads the same. Attached and detached while it runs."""
    m = dom0(extra=disk(str(tmp_path / "disk")))
    m.create("one", 'disk=["phy:/dev/vda,xvda,w"]')
    m.watch("one")
    m.guest_ready("one")
    assert m.guest("one", "cat /sys/block/xvda/size") == [str(DISK // 512)]
    # Lines before each block of random bytes: none of them lies as another does.
    m.guest("one", "dd if=/dev/urandom of=/tmp/r bs=1M count=8 2>/dev/null", 120)
    fill = "for i in $(seq 40); do echo block $i; cat /tmp/r; done"
    written = m.guest("one", f"({fill}) | head -c {DISK} | tee /dev/xvda | md5sum; sync", 240)
    assert m.run("md5sum </dev/vda", 240) == written
    m.guest("one", "echo 3 >/proc/sys/vm/drop_caches")
    assert m.guest("one", "md5sum </dev/xvda", 240) == written

    m.run("xl block-detach one xvda", 120)
    m.wait_for("xl block-list one | wc -l", r"^[01]$")
    assert m.guest("one", "ls /dev/xvda 2>/dev/null | wc -l") == ["0"]
    m.run("xl block-attach one phy:/dev/vda xvdb r", 120)
    m.wait_for("xl block-list one", r"^51728 ")
    assert m.guest("one", "md5sum </dev/xvdb", 240) == written
    m.run("xl destroy one", 120)


def test_detach_under_io(dom0, tmp_path):
    """A disk that is written to goes, and so does the guest, while dom0 holds its grants."""
    m = dom0(extra=disk(str(tmp_path / "disk")))
    m.create("one", 'disk=["phy:/dev/vda,xvda,w"]')
    m.watch("one")
    m.guest_ready("one")
    m.guest("one", "(while :; do dd if=/dev/zero of=/dev/xvda bs=1M oflag=direct; done) 2>/dev/null & true")
    m.collect(2)
    m.run("xl block-detach one xvda force", 120)
    assert m.guest("one", "echo $((6*7))") == ["42"]
    m.run("xl block-attach one phy:/dev/vda xvdb w", 120)
    m.guest("one", "(while :; do dd if=/dev/zero of=/dev/xvdb bs=1M oflag=direct; done) 2>/dev/null & true")
    m.collect(2)
    m.run("xl destroy one", 120)
    assert m.run("dmesg | grep -iE '\\<stall|WARNING:|BUG:' | grep -v vmemmap; true") == []


def address(m, name, number):
    m.guest(name, f"ip addr add 10.0.0.{number}/24 dev eth0; ip link set eth0 up")
    m.wait_for(f"ping -c 1 -W 2 10.0.0.{number}", r" 0% packet loss", 60)


def listen(port):
    """
    Busybox' nc ends the sender as well when its own input ends, as that of a job in the background
    does at once: this input never ends.
    """
    return f"rm -f /tmp/never; mkfifo /tmp/never; nc -l -p {port} <>/tmp/never"


@pytest.mark.long
def test_network(dom0):
    """Ping and 16 MiB each way between dom0 and a guest, and between two guests."""
    m = dom0()
    for number, name in ((2, "one"), (3, "two")):
        m.create(name, "memory=192")
        m.watch(name)
    m.guest_ready("one", "two")
    address(m, "one", 2)
    address(m, "two", 3)
    assert "0% packet loss" in "".join(m.guest("one", "ping -c 3 10.0.0.1"))
    assert "0% packet loss" in "".join(m.guest("one", "ping -c 3 10.0.0.3"))

    m.run("dd if=/dev/urandom of=/tmp/r bs=1M count=16 2>/dev/null", 120)
    sent = m.run("md5sum </tmp/r", 60)
    m.guest("one", f"{listen(5000)} >/tmp/r & true")
    m.run("sleep 1; nc 10.0.0.2 5000 </tmp/r", 180)
    m.guest("one", "wait")
    assert m.guest("one", "md5sum </tmp/r", 60) == sent

    m.run(f"({listen(5001)} | md5sum >/tmp/sum &)")
    m.guest("one", "sleep 1; nc 10.0.0.1 5001 </tmp/r", 180)
    assert m.wait_for("cat /tmp/sum", r"^\w{32} .*").group(0) == sent[0]

    m.guest("two", f"{listen(5002)} | md5sum >/tmp/sum & true")
    m.guest("one", "sleep 1; nc 10.0.0.3 5002 </tmp/r", 180)
    m.guest("two", "wait")
    assert m.guest("two", "cat /tmp/sum") == sent

    m.run("xl network-detach one 0", 120)
    m.wait_for("brctl show xenbr0 | grep -c vif", r"^1$")
    m.run("xl network-attach one bridge=xenbr0", 120)
    m.wait_for("xl network-list one", r"^\d+ +0 ")
    m.collect(2)
    name = m.guest("one", "ls /sys/class/net | grep -v lo | tail -n 1")[0]
    m.guest("one", f"ip addr add 10.0.0.2/24 dev {name}; ip link set {name} up")
    m.wait_for("ping -c 1 -W 2 10.0.0.2", r" 0% packet loss", 60)
    for name in ("one", "two"):
        m.run(f"xl destroy {name}", 120)
    m.wait_for("brctl show xenbr0 | grep -c vif", r"^0$")
