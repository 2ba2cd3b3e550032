# SPDX-License-Identifier: MIT
"""libvirt's Xen driver, Debian's packages, beside xl in the same dom0."""

import os
import re

from loam import OUT, Dom0

VIRSH = "virsh -q -c xen:///system"


def with_libvirt(workdir):
    """dom0's ramdisk, libvirt's behind it."""
    path = os.path.join(workdir, "libvirt-initrd.cpio")
    with open(path, "wb") as out:
        for name in ("initrd.cpio", "libvirt.cpio"):
            with open(os.path.join(OUT, "dom0", name), "rb") as part:
                out.write(part.read())
    return path


def test_life_of_a_guest(dom0, tmp_path):
    m = dom0(dom0=Dom0(ramdisk=with_libvirt(str(tmp_path)), memory=768), memory=1792)
    m.run("mkdir -p /var/log/libvirt/libxl /var/lib/libvirt /run/libvirt")
    m.run("libvirtd -d")
    m.wait_for(f"{VIRSH} list --all", r"^ *0 +Domain-0 +running", 60)
    m.run(f"{VIRSH} define /guests/debian.xml")
    m.wait_for(f"{VIRSH} list --all", r"^ *- +debian +shut off")
    m.run(f"{VIRSH} start debian", 120)
    m.wait_for(f"{VIRSH} list", r"^ *\d+ +debian +running")
    assert m.domains()["debian"].vcpus == 2
    terminal = m.run(f"{VIRSH} ttyconsole debian")
    assert re.match(r"/dev/pts/\d+$", terminal[0])
    m.watch("debian")
    m.guest_ready("debian")
    assert m.guest("debian", "nproc") == ["2"]
    m.run("killall cat")
    answers = m.console_session(f"{VIRSH} console debian", "echo $((6*7))")
    assert re.search(r"\b42\n", answers)
    m.run(f"{VIRSH} suspend debian")
    m.wait_for(f"{VIRSH} list", r"debian +paused")
    assert m.domains()["debian"].state[2] == "p"
    m.run(f"{VIRSH} resume debian")
    m.wait_for(f"{VIRSH} list", r"debian +running")
    m.run(f"{VIRSH} destroy debian", 120)
    m.wait_gone("debian")
    m.run(f"{VIRSH} undefine debian")
    assert "debian" not in "\n".join(m.run(f"{VIRSH} list --all"))
