# SPDX-License-Identifier: MIT
"""Debian's stock tools in a Debian dom0: the lives of guests, by xl of two releases."""

import re

import pytest

from dom0 import XL, both_releases, xl_info
from loam import Dom0, guest, micro_image


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


@pytest.mark.parametrize("vcpus", [1, 8])
def test_number_of_vcpus_of_dom0(dom0, vcpus):
    m = dom0(dom0=Dom0(cpus=vcpus), cpus=2)
    assert m.run("nproc") == [str(vcpus)]
    assert len(m.vcpus()["Domain-0"]) == vcpus
    for vcpu in range(vcpus):
        assert m.run(f"taskset {1 << vcpu:x} echo on {vcpu}") == [f"on {vcpu}"]


@pytest.mark.parametrize("release", both_releases)
def test_life_of_a_guest(dom0, release):
    m = dom0()
    xl = XL[release]
    m.create("one", xl=xl)
    m.watch("one")
    m.guest_ready("one")
    assert m.guest("one", "echo $((6*7))") == ["42"]
    assert m.guest("one", "nproc") == ["2"]

    m.run(f"{xl} pause one")
    assert m.domains(xl)["one"].state[2] == "p"
    seconds = m.domains(xl)["one"].seconds
    assert m.domains(xl)["one"].seconds == seconds
    m.run(f"{xl} unpause one")
    assert m.guest("one", "echo $((6*7))") == ["42"]

    number = m.domains(xl)["one"].number
    m.run(f"{xl} reboot -w one", 120)
    m.wait_for(f"{xl} list", rf"^one +{number + 1} ", 60)
    m.watch("one")
    m.guest_ready("one")

    m.run(f"{xl} shutdown -w one", 120)
    m.wait_gone("one")
    m.create("one", xl=xl)
    m.run(f"{xl} destroy one", 120)
    assert list(m.domains()) == ["Domain-0"]


@pytest.mark.parametrize("release", both_releases)
def test_console_of_a_guest(dom0, release):
    """What is typed at dom0's console reaches the guest, through xl console and xenconsoled."""
    m = dom0()
    m.create("one")
    m.watch("one")
    m.guest_ready("one")
    m.run("killall cat")  # who watches would take half of it
    answers = m.console_session(f"{XL[release]} console one", "echo $((6*7)); nproc")
    assert re.search(r"\b42\n2\n", answers)
    m.run("xl destroy one")


def test_each_release_sees_the_others_guests(dom0):
    m = dom0()
    m.create("old", "memory=128", xl=XL["4.17"])
    m.create("new", "memory=128", xl=XL["4.20"])
    for xl in XL.values():
        assert list(m.domains(xl)) == ["Domain-0", "old", "new"]
    m.watch("old")
    m.watch("new")
    m.guest_ready("old", "new")
    for mine, other in (("4.20", "old"), ("4.17", "new")):
        xl = XL[mine]
        m.run(f"{xl} pause {other}")
        assert m.domains(xl)[other].state[2] == "p"
        m.run(f"{xl} unpause {other}")
        assert m.guest(other, "echo $((6*7))") == ["42"]
    m.run(f"{XL['4.20']} shutdown -w old", 120)
    m.run(f"{XL['4.17']} destroy new", 120)
    m.wait_gone("old")
    assert list(m.domains()) == ["Domain-0"]


def test_eight_guests_on_two_cpus(dom0):
    """With 1 to 4 vCPUs each; the tools agree with what runs."""
    m = dom0(memory=2304)
    vcpus = {f"d{i}": 1 + i % 4 for i in range(8)}
    for name, count in vcpus.items():
        m.create(name, "memory=128", f"vcpus={count}")
        m.watch(name)
    m.guest_ready(*vcpus, timeout=240)
    rows, threads = m.domains(), m.vcpus()
    top = m.xentop()
    for name, count in vcpus.items():
        assert m.guest(name, "nproc") == [str(count)]
        assert rows[name].vcpus == count
        assert len(threads[name]) == count
        assert top[name]["VCPUS"] == str(count)
        assert abs(int(top[name]["CPU(sec)"]) - sum(v.seconds for v in threads[name])) <= 5
    for name in vcpus:
        m.run(f"xl destroy {name}", 120)
    assert list(m.domains()) == ["Domain-0"]


# on_crash, and what is left of the guest
ON_CRASH = {"destroy": 0, "restart": 1, "preserve": 1, "coredump-destroy": 0}


@pytest.mark.parametrize("action", ON_CRASH)
def test_on_crash(dom0, action):
    """A guest that says it has crashed. (Debian's kernel does not, on arm64.)"""
    m = dom0(files={"guests/crash.img": micro_image("enhanced")})
    m.run("mkdir -p /var/lib/xen/dump")
    m.micro("one", "crash.img", 'extra="crash"', f'on_crash="{action}"', "memory=16")
    if action == "restart":
        m.wait_for("xl list", r"^one +[3-9] ")
        m.run("xl destroy one; true")
    elif action == "preserve":
        m.wait_for("xl list", r"^one .* \S*c\S* ")
        m.run("xl destroy one")
    else:
        m.wait_gone("one")
    if action.startswith("coredump"):
        assert int(m.run("cat /var/lib/xen/dump/* | wc -c")[0]) > 16 << 20


def test_boot_time_domains_beside_dom0(dom0):
    m = dom0(guest("beside"), memory=1536)
    m.ready("beside")
    if m.owner is not None:
        assert m.command("beside", "echo $((6*7))") == ["42"]
    # It is no guest of the tools' making: it has a number and no name in xenstore.
    row = next(row for row in m.domains().values() if row.name not in ("Domain-0",))
    assert row.vcpus == 2
    m.create("one", "memory=128")
    m.watch("one")
    m.guest_ready("one")
    m.run("xl destroy one")
    assert m.command("beside", "nproc") == ["2"]
