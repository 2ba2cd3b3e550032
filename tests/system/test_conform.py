# SPDX-License-Identifier: MIT
"""The architecture contract (tests/conform): an image that tests itself and goes off."""

import os

import pytest

from loam import HOST, OUT

# name -> architecture, settings of its machine
MACHINES = {
    "max": ("arm64", {"cpu": "max"}),
    "cortex-a72": ("arm64", {"cpu": "cortex-a72"}),
    "one-cpu": ("arm64", {"cpus": 1}),
    "plic": ("riscv64", {"aia": "none"}),
    "no-sstc": ("riscv64", {"cpu": "rv64,sstc=off"}),
    "imsic": ("riscv64", {"aia": "aplic-imsic", "aia_guests": 3}),
}


@pytest.mark.parametrize("arch,settings", MACHINES.values(), ids=MACHINES)
def test_contract(machine, arch, settings):
    image = os.path.join(OUT, f"{arch}-selftest", "loam")
    m = machine(hypervisor=image, **{"cpus": 3, **settings})
    result = m.expect(HOST, r"^loam: (\d+) passed, (\d+) failed$", 60)
    bad = [line.text for line in m.of(HOST, r"^loam: not ok ")]
    assert not bad and result.group(2) == "0", bad
    assert int(result.group(1)) == len(m.of(HOST, r"^loam: ok ")) >= 50
    assert m.expect_exit() == 0
