# SPDX-License-Identifier: MIT
"""Bad descriptions: a message naming node and property, and everyone else runs.

Each case has a domain "bad" and a domain "good"; good must tick.
"""

import os

import pytest

from loam import (
    BoardError,
    Module,
    POWER_OFF,
    RAM_BASE,
    STARTED,
    MIB,
    HOST,
    both,
    guest,
    micro,
    micro_image,
    passthrough_pl031,
    passthrough_source,
)


def good(m):
    m.expect("good", r"^tick 3 ", 60)


def refused(machine, bad, node="bad", prop="", **settings):
    m = machine(bad, micro("good", "ticker"), **settings)
    message = m.complaint(node, prop)
    good(m)
    assert not m.said(STARTED, "bad"), message
    assert not m.of("bad"), message
    return m, message


@both
def test_missing_kernel(machine):
    refused(machine, micro("bad", "ticker", modules=[]), prop="multiboot,kernel")


@both
def test_kernel_without_an_image_header(machine, tmp_path):
    path = os.path.join(tmp_path, "text")
    with open(path, "w", encoding="ascii") as file:
        file.write("This is no kernel.\n" * 1000)
    refused(machine, micro("bad", "ticker", modules=[Module("kernel", path)]), prop="kernel")


def test_empty_kernel_module(machine):
    module = Module("kernel", micro_image("ticker"), size=0)
    refused(machine, micro("bad", "ticker", modules=[module]), node="bad", prop="reg")


def test_kernel_module_outside_of_ram(machine):
    module = Module("kernel", micro_image("ticker"), address=0x3000_0000, load=False)
    refused(machine, micro("bad", "ticker", modules=[module]), prop="reg")


@both
def test_kernel_module_cut_short(machine, arch, tmp_path):
    """A header that promises more than the module has."""
    path = os.path.join(tmp_path, "short")
    with open(micro_image("ticker", arch), "rb") as file, open(path, "wb") as short:
        short.write(file.read(32))
    refused(machine, micro("bad", "ticker", modules=[Module("kernel", path)]), prop="kernel")


@both
def test_more_memory_than_there_is(machine):
    refused(machine, micro("bad", "ticker", memory=1 << 20), prop="memory")


def test_more_memory_than_is_free(machine):
    refused(machine, micro("bad", "ticker", memory=1020), prop="memory", memory=1024)


def test_no_memory(machine):
    refused(machine, micro("bad", "ticker", memory=0), prop="memory")


def test_memory_missing(machine):
    refused(machine, micro("bad", "ticker", memory=None), prop="memory")


def test_memory_too_small_for_the_kernel(machine):
    bad = micro("bad", "ticker", extra="memory = <0 4>;", memory=None)
    refused(machine, bad, prop="memory")


def test_zero_cpus(machine):
    refused(machine, micro("bad", "ticker", cpus=0), prop="cpus")


def test_cpus_missing(machine):
    refused(machine, micro("bad", "ticker", cpus=None), prop="cpus")


def test_too_many_cpus(machine):
    refused(machine, micro("bad", "ticker", cpus=100000), prop="cpus")


def test_bad_restart_policy(machine):
    refused(machine, micro("bad", "ticker", restart="sometimes"), prop="loam,restart")


def test_zero_weight(machine):
    refused(machine, micro("bad", "ticker", weight=0), prop="loam,weight")


def test_bad_affinity(machine):
    refused(machine, micro("bad", "ticker", affinity={0: "0-banana"}), prop="hard-affinity")


def test_affinity_of_no_cpu(machine):
    refused(machine, micro("bad", "ticker", affinity={0: "7"}), prop="hard-affinity")


def test_unknown_property_is_named_and_ignored(machine):
    m = machine(
        micro("bad", "ticker", extra='loam,colour = "green";'), micro("good", "ticker")
    )
    m.complaint("bad", "loam,colour")
    good(m)
    m.expect("bad", r"^tick 3 ")


def test_overlapping_modules(machine):
    """A module that begins inside of another's: the second domain is refused."""
    kernel, at = micro_image("ticker"), RAM_BASE + 512 * MIB
    inside = at + (os.path.getsize(kernel) // 2 & ~4095)
    first = micro("good", "ticker", modules=[Module("kernel", kernel, "", address=at)])
    bad = micro("bad", "ticker", modules=[Module("kernel", kernel, address=inside, load=False)])
    m = machine(first, bad)
    m.complaint("bad", "reg")
    good(m)
    assert not m.said(STARTED, "bad")


def test_module_on_the_hypervisor(machine):
    module = Module("kernel", micro_image("ticker"), address=RAM_BASE + 2 * MIB, load=False)
    refused(machine, micro("bad", "ticker", modules=[module]), prop="reg")


AREA = (RAM_BASE + 768 * MIB, 32 * MIB)


def test_overlapping_static_memory(machine):
    m = machine(
        micro("good", "ticker", static_mem=[AREA]),
        micro("bad", "ticker", static_mem=[(AREA[0] + 16 * MIB, 32 * MIB)]),
    )
    m.complaint("bad", "xen,static-mem")
    good(m)
    assert not m.said(STARTED, "bad")


def test_static_memory_on_a_module(machine):
    bad = micro("bad", "ticker", static_mem=[AREA])
    bad.modules = [Module("kernel", micro_image("ticker"), "", address=AREA[0] + 4 * MIB)]
    m = machine(bad, micro("good", "ticker"))
    m.complaint("bad", "reg: .* overlaps the static memory")
    good(m)


def test_static_memory_on_the_hypervisor(machine):
    bad = micro("bad", "ticker", static_mem=[(RAM_BASE, 32 * MIB)])
    refused(machine, bad, prop="xen,static-mem")


def test_static_memory_outside_of_ram(machine):
    bad = micro("bad", "ticker", static_mem=[(0x10_0000_0000, 32 * MIB)])
    refused(machine, bad, prop="xen,static-mem")


def test_static_memory_that_wraps(machine):
    bad = micro("bad", "ticker", static_mem=[(0xFFFF_FFFF_FE00_0000, 64 * MIB)], memory=64)
    refused(machine, bad, prop="xen,static-mem")


def test_passthrough_of_no_device(machine):
    source = passthrough_pl031().replace("/pl031@9010000", "/toaster@9010000")
    refused(machine, micro("bad", "ticker", passthrough=source), prop="xen,path")


def test_passthrough_of_memory(machine):
    source = passthrough_pl031().replace(
        "xen,reg = <0x0 0x9010000 0x0 0x1000 0x0 0x9010000>",
        "xen,reg = <0x0 0x40200000 0x0 0x1000 0x0 0x9010000>",
    )
    refused(machine, micro("bad", "ticker", passthrough=source), prop="xen,reg")


def test_passthrough_of_the_interrupt_controller(machine):
    source = passthrough_source(
        """
        gic@8000000 {
            compatible = "arm,gic-v3";
            reg = <0x0 0x8000000 0x0 0x10000>;
            xen,reg = <0x0 0x8000000 0x0 0x10000 0x0 0x8000000>;
            xen,path = "/intc@8000000";
            xen,force-assign-without-iommu;
        };"""
    )
    refused(machine, micro("bad", "ticker", passthrough=source), prop="passthrough/gic@8000000")


def test_passthrough_twice(machine):
    m = machine(
        micro("good", "ticker", passthrough=passthrough_pl031()),
        micro("bad", "ticker", passthrough=passthrough_pl031()),
    )
    m.complaint("bad", "passthrough")
    good(m)
    assert not m.said(STARTED, "bad")


def test_partial_tree_is_noise(machine, tmp_path):
    path = os.path.join(tmp_path, "noise")
    with open(path, "wb") as file:
        file.write(bytes(range(256)) * 16)
    bad = micro("bad", "ticker")
    bad.modules = [Module("kernel", micro_image("ticker"), ""), Module("device-tree", path)]
    refused(machine, bad, prop="multiboot,device-tree")


def test_cells_that_are_none(machine):
    def edit(source):
        start = source.index("bad {")
        return source[:start] + source[start:].replace("#size-cells = <2>", "#size-cells = <7>", 1)

    refused(machine, micro("bad", "ticker"), prop="#size-cells", edit_source=edit)


# --- the host's own tree ---------------------------------------------------------


def broken(machine, edit):
    m = machine(micro("bad", "ticker"), edit_tree=edit)
    m.may_panic = True
    m.expect(HOST, r"(?i)device tree", 30)
    assert not m.of("bad")


def test_truncated_tree(machine):
    """The header still promises the whole; what is behind is zero."""
    broken(machine, lambda tree: tree[: len(tree) * 3 // 4])


def test_tree_with_a_wrong_token(machine):
    def edit(tree):
        start = int.from_bytes(tree[8:12], "big")
        at = tree.index(b"chosen\0", start) - 4
        return tree[:at] + b"\0\0\0\x77" + tree[at + 4 :]

    broken(machine, edit)


def test_tree_edited_by_nobody_boots(machine):
    """The way of the two tests above is not what breaks."""
    m = machine(micro("good", "ticker"), edit_tree=lambda tree: tree)
    good(m)


def test_no_domain_at_all(machine):
    m = machine()
    m.expect_said(POWER_OFF, timeout=30)
    assert m.expect_exit() == 0


# --- very many ----------------------------------------------------------------------


def many(machine, count, **settings):
    """So many domains that share one kernel module; each runs or is told why not."""
    address = RAM_BASE + 192 * MIB
    kernel = Module("kernel", micro_image("ticker"), "ticks=1 every=1", address=address)
    names = [f"d{i}" for i in range(count)]
    domains = [
        micro(name, "ticker", memory=None, extra="memory = <0 0x400>;", modules=[kernel])
        for name in names
    ]
    m = machine(*domains, **settings)
    m.expect_said(POWER_OFF, timeout=600)
    assert m.expect_exit() == 0
    ran = {x.domain for x in m.lines if x.domain in names and x.text.startswith("tick 1 ")}
    told = {name for name in names if m.of(HOST, rf"^loam: warning: /chosen/{name}\b")}
    assert ran | told == set(names)
    return ran


def test_sixty_domains(machine):
    assert len(many(machine, 60)) == 60


def test_a_thousand_domains(machine):
    assert len(many(machine, 1000, memory=2560)) == 1000


def test_modules_that_do_not_fit(machine):
    """The harness itself says no, before QEMU does."""
    with pytest.raises(BoardError):
        machine(*[guest(f"d{i}") for i in range(4)], memory=256)
