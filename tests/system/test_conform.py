# SPDX-License-Identifier: MIT
"""The architecture contract (tests/conform): an image that tests itself and goes off."""

import os

import pytest

from loam import HOST, OUT

# architecture, settings of its machine
MACHINES = [
    ("arm64", {"cpu": "max"}),
    ("arm64", {"cpu": "cortex-a72"}),
    ("arm64", {"cpus": 1}),
    ("riscv64", {"aia": "none"}),
    ("riscv64", {"cpu": "rv64,sstc=off"}),
    ("riscv64", {"aia": "aplic-imsic", "aia_guests": 3}),
]


@pytest.mark.parametrize(
    "arch,settings", MACHINES, ids=["-".join(map(str, [a, *s.values()])) for a, s in MACHINES]
)
def test_contract(machine, arch, settings):
    image = os.path.join(OUT, f"{arch}-selftest", "loam")
    m = machine(hypervisor=image, **{"cpus": 3, **settings})
    result = m.expect(HOST, r"^loam: (\d+) passed, (\d+) failed$", 60)
    bad = [line.text for line in m.of(HOST, r"^loam: not ok ")]
    assert not bad and result.group(2) == "0", bad
    assert int(result.group(1)) == len(m.of(HOST, r"^loam: ok ")) >= 50
    assert m.expect_exit() == 0
