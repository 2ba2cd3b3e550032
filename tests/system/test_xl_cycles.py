# SPDX-License-Identifier: MIT
"""Guests made and destroyed many times, also half way: nothing leaks, nothing is left to the next."""

import random

import pytest

from loam import micro_image

FILES = {f"guests/{name}.img": micro_image(name) for name in ("ticker", "isolate", "chaos")}
MICRO = (
    "xl create /dev/null name='\"m\"' kernel='\"/guests/{image}.img\"' memory=16 {more} >/dev/null"
)
DEBIAN = "xl create /guests/debian.cfg name='\"m\"' memory=128 {more} >/dev/null"
# Whatever is left of a guest and of the tool that made it.
CLEAN = (
    "for i in $(xl list | awk 'NR > 1 && $(NF - 4) > 0 { print $(NF - 4) }'); "
    "do xl destroy $i 2>/dev/null; done; true"
)
# dom0 may keep page tables for the foreign pages that it once had, not more with each guest.
SLACK = 64


def count(text, path):
    """How often a file that is not text has that; busybox' grep reads lines of text only."""
    return f"tr '\\0' '\\n' <{path} | grep -c {text}"


def check_free(m, before, slack=0):
    """All guests are gone and so is what they had; a moment after, if need be."""
    assert list(m.domains()) == ["Domain-0"]
    for _ in range(20):
        after = m.free_pages()
        if abs(after - before) <= slack:
            return
        m.collect(0.5)
    assert abs(after - before) <= slack, f"{before} pages were free, {after} are"


def micro_cycles(m, count, image="ticker", more=""):
    line = f"{MICRO.format(image=image, more=more)} && xl destroy m || break"
    m.run(f"for i in $(seq {count}); do {line}; done; test $i = {count}", 60 + 20 * count)


def killed_cycle(m, create, seconds):
    """xl ends by force so long after its start; the guest that it left is destroyed."""
    m.run(f"({create} 2>&1 & p=$!; sleep {seconds:.2f}; kill -9 $p) 2>/dev/null; true", 60)
    for _ in range(10):
        m.run(CLEAN, 120)
        if list(m.domains()) == ["Domain-0"]:
            return
    m.collect(1)


def warm_up(m):
    micro_cycles(m, 3)
    for _ in range(2):
        m.run(DEBIAN.format(more="") + " && xl destroy m", 120)
    m.collect(2)


def cycles(dom0, micros, debians, seed):
    chance = random.Random(seed)
    m = dom0(files=FILES)
    warm_up(m)
    before = m.free_pages()
    micro_cycles(m, micros // 3)
    check_free(m, before, SLACK)
    micro_cycles(m, micros // 3, "chaos", "vcpus=2")
    for _ in range(micros // 3):
        killed_cycle(m, MICRO.format(image="isolate", more="vcpus=2"), chance.uniform(0.05, 1.0))
    check_free(m, before, SLACK)
    for number in range(debians):
        disk = """'disk=["phy:/dev/loop0,xvda,w"]'"""
        how = number % 3
        if how == 0:
            killed_cycle(m, DEBIAN.format(more=""), chance.uniform(0.1, 3.0))
            continue
        if how == 1:
            m.run(DEBIAN.format(more=""), 120)  # destroyed while it boots
            m.collect(chance.uniform(0.0, 4.0))
        else:  # destroyed while it writes, and dom0 has its grants mapped
            if number < 3:
                m.run("dd if=/dev/zero of=/tmp/disk bs=1M count=8; losetup /dev/loop0 /tmp/disk")
            m.run(DEBIAN.format(more=disk), 120)
            m.watch("m")
            m.guest_ready("m")
            writer = "while :; do dd if=/dev/zero of=/dev/xvda bs=256k oflag=direct; done"
            m.guest("m", f"({writer}) 2>/dev/null & true")
            m.collect(chance.uniform(0.5, 2.0))
        m.run("xl destroy m", 120)
    check_free(m, before, SLACK)


@pytest.mark.long
def test_cycles(dom0):
    cycles(dom0, 18, 3, 1)


@pytest.mark.long
def test_many_cycles(dom0):
    cycles(dom0, 450, 50, 2)


@pytest.mark.long
def test_micro_guests_leak_no_page(dom0):
    m = dom0(files=FILES)
    micro_cycles(m, 3)
    m.collect(2)
    before = m.free_pages()
    micro_cycles(m, 10)
    check_free(m, before)


@pytest.mark.long
def test_no_page_is_seen_by_the_next(dom0):
    """A guest fills most of the free memory with a word; the next has the same pages."""
    m = dom0(memory=832, files=FILES)
    size = min(m.free_pages() // 256 - 40, 280)
    assert size >= 200
    m.create("first", f"memory={size}", "vcpus=1")
    m.watch("first")
    m.guest_ready("first")
    fill = size - 130
    m.guest("first", "mount -o remount,size=90% /tmp")
    m.guest("first", f"yes left-by-the-first-guest | head -c {fill}M >/tmp/fill", 240)
    m.run("xl destroy first", 120)
    # Paused: not an instruction of it has run, what is in its memory was there before.
    m.micro("next", "ticker.img", f"memory={size}", paused=True)
    m.run("xl dump-core next /tmp/core", 120)
    assert int(m.run("wc -c </tmp/core")[0]) > size << 20
    assert m.status(count("left-by-the-first", "/tmp/core"), 120)[1] == ["0"]
    assert int(m.run(count("xen-3.0-aarch64", "/tmp/core"), 120)[0]) > 0  # it does find what is there
    m.run("xl destroy next", 120)
