# SPDX-License-Identifier: MIT
"""Debian's stock tools in a Debian dom0: a guest's life, by both releases of xl."""

import pytest

from dom0 import XL, both_releases, xl_info
from loam import Dom0


@pytest.mark.parametrize("guest_loader", [False, True], ids=["modules", "guest-loader"])
def test_dom0_boots(dom0, guest_loader):
    m = dom0(dom0=Dom0(guest_loader=guest_loader))
    info = xl_info(m.run("xl info"))
    assert (info["xen_major"], info["xen_minor"]) == ("4", "17")
    assert info["nr_cpus"] == "2"
    rows = m.domains()
    assert list(rows) == ["Domain-0"]
    assert rows["Domain-0"].vcpus == 2
    assert rows["Domain-0"].memory == 512
    assert m.run("nproc") == ["2"]


@pytest.mark.parametrize("release", both_releases)
def test_life_of_a_guest(dom0, release):
    m = dom0()
    xl = XL[release]
    m.create("one", xl=xl)
    m.watch("one")
    m.guest_ready("one")
    assert m.guest("one", "echo $((6*7))") == ["42"]
    assert m.guest("one", "nproc") == ["2"]
    assert list(m.domains()) == ["Domain-0", "one"]
    m.run(f"{xl} destroy one")
    assert list(m.domains()) == ["Domain-0"]
