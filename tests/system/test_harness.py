# SPDX-License-Identifier: MIT
"""The harness against a machine without Loam: a bare Debian boots and answers.

If these fail, the fault is in the images, QEMU or the harness, not in Loam.
"""

import pytest

from loam import both, guest


@both
def test_debian_boots_bare(machine):
    m = machine(guest("bare"), hypervisor="")
    m.ready("bare")
    assert m.command("bare", "echo $((6*7))") == ["42"]
    assert m.command("bare", "nproc") == ["2"]
    text = "x" * 300
    assert m.command("bare", f"echo {text}") == [text]


@pytest.mark.parametrize("arch", ["riscv64"])
@pytest.mark.parametrize("aia", ["aplic", "aplic-imsic"])
def test_debian_boots_bare_on_aia(machine, aia):
    m = machine(guest("bare"), hypervisor="", aia=aia)
    m.ready("bare")
    assert m.command("bare", "echo $((6*7))") == ["42"]
    # The UART's interrupt comes through the controller that was asked for, not a PLIC.
    [serial] = m.command("bare", "grep ttyS0 /proc/interrupts")
    assert "APLIC" in serial, serial


@both
def test_ctrl_c_reaches_the_guest(machine):
    m = machine(guest("bare"), hypervisor="")
    m.ready("bare")
    m.send("sleep 1000\r")
    m.collect(1)
    m.child.send("\x03")
    assert m.command("bare", "echo alive") == ["alive"]


@both
def test_bare_power_off_ends_qemu(machine):
    m = machine(guest("bare", "poweroff"), hypervisor="")
    m.expect("bare", "guest bare: poweroff")
    assert m.expect_exit() == 0
