# SPDX-License-Identifier: MIT
"""Guests made and destroyed many times, also half way: nothing leaks, nothing is left to the next.

Loops run in dom0, one command for many guests. Before and after one, holdings() is compared: what
the hypervisor has free and what it is used for, to a frame; event channels, grants and VMIDs.
"""

import random

import pytest

from dom0 import XL
from loam import Failure, micro_image

FILES = {
    f"guests/{name}.img": micro_image(name)
    for name in ("ticker", "isolate", "chaos", "grants", "scrub")
}
MICRO = (
    "xl create /dev/null 'name=\"{name}\"' 'kernel=\"/guests/{image}.img\"' memory=16 {more} "
    ">/dev/null"
)
DEBIAN = "xl create /guests/debian.cfg 'name=\"m\"' memory=128 {more} >/dev/null"
LEFT = "xl list | awk 'NR > 1 && $(NF - 4) > 0 { print $(NF - 4) }'"  # domids of guests
# Whatever is left of a guest and of the tool that made it.
CLEAN = (
    f"for try in 1 2 3 4 5 6 7 8 9; do left=$({LEFT}); "
    '[ -z "$left" ] && break; for i in $left; do xl destroy $i 2>/dev/null; done; sleep 0.3; done'
)


def micro(image, more="", name="m"):
    return MICRO.format(image=image, more=more, name=name)


def total(held):
    """Frames that are free, or used for what may take more after a while: page tables of dom0 for
    pages it once mapped, slabs that are not full."""
    return held["frames free"] + held["objects frames"] + held["dom0 tables"] + held["dom0 pages"]


def comparable(held):
    """What has to be equal; the rest is in the sum."""
    names = ("d0 event channels", "dom0 grants", "dom0 maps")
    found = {name: held[name] for name in names}
    found["VMIDs"] = sum(name.endswith(" VMID") for name in held)
    found["frames"] = total(held)
    return found


def are_equal(before, after):
    grown = after["objects bytes"] - before["objects bytes"]
    # dom0's table of what it maps grows by a page and stays as large as it ever had to be.
    return comparable(after) == comparable(before) and grown in (0, 4096, 8192, 12288, 16384)


def check_equal(m, before):
    """All guests are gone and so is what they had; a moment after, if need be."""
    assert list(m.domains()) == ["Domain-0"]
    for _ in range(20):
        after = m.holdings()
        if are_equal(before, after):
            return
        m.collect(0.5)
    raise Failure(f"before {before}, after {after}\n{m.tail(10)}")


def loop(m, count, body, limit):
    """Run a line that many times in dom0; `limit` seconds each."""
    line = f"n=0; while [ $n -lt {count} ]; do {body} || break; n=$((n + 1)); done"
    m.run(f"{line}; test $n = {count}", 60 + limit * count)


def destroyed(m, count):
    loop(m, count, f"{micro('ticker')} && xl destroy m", 20)


def destroyed_in_chaos(m, count):
    loop(m, count, f"{micro('chaos', 'vcpus=2')} && xl destroy m", 20)


def killed(m, create, moments):
    """xl ends by force so long after its start; the guest that it left is destroyed."""
    times = " ".join(f"{s:.2f}" for s in moments)
    body = f"({create} 2>&1 & p=$!; sleep $s; kill -9 $p; wait $p) 2>/dev/null; {CLEAN}"
    m.run(f"for s in {times}; do {body}; done; true", 60 + 60 * len(moments))


def killed_micros(m, count, chance):
    moments = [chance.uniform(0.05, 1.0) for _ in range(count)]
    killed(m, micro("isolate", "vcpus=2"), moments)


def last_domid(m):
    """Of the guest that was made last; there is one now."""
    return max(row.number for row in m.domains().values())


def granting_pair(m, first_gone):
    """A guest that another has four pages of mapped; which of them goes first?"""
    m.run(micro("ticker", name="old"))
    giver = last_domid(m) + 1
    m.run("xl destroy old")
    m.run(micro("grants", f"""'extra="to={giver + 1}"'""", "giver"))
    m.run(micro("grants", f"""'extra="of={giver}"'""", "taker"))
    for _ in range(40):
        held = m.holdings()
        if any(held[name] == 4 for name in held if name.endswith(" maps") and name != "dom0 maps"):
            break
        m.collect(0.3)
    else:
        raise Failure(f"nobody maps four grants: {held}")
    m.run("; ".join(f"xl destroy {name}" for name in first_gone))
    m.run(CLEAN)


def destroyed_with_grants(m, pairs):
    for number in range(pairs):
        granting_pair(m, ("giver", "taker") if number % 2 else ("taker", "giver"))


def make_disk(m):
    """For one guest at a time."""
    m.run("dd if=/dev/zero of=/tmp/disk bs=1M count=8; losetup /dev/loop0 /tmp/disk")


def booting_debians(m, count, chance):
    for _ in range(count):
        wait = chance.uniform(0.0, 4.0)
        m.run(f"{DEBIAN.format(more='')} && sleep {wait:.2f} && xl destroy m", 120)


def writing_debians(m, count, chance):
    """Destroyed while they write, and dom0 has their grants mapped."""
    for _ in range(count):
        m.run(DEBIAN.format(more="""'disk=["phy:/dev/loop0,xvda,w"]'"""), 120)
        m.watch("m")
        m.guest_ready("m")
        writer = "while :; do dd if=/dev/zero of=/dev/xvda bs=256k oflag=direct; done"
        m.guest("m", f"({writer}) 2>/dev/null & true")
        m.collect(chance.uniform(0.5, 2.0))
        m.run("xl destroy m", 120)


def debians(m, count, chance):
    killed(m, DEBIAN.format(more=""), [chance.uniform(0.1, 3.0) for _ in range(count // 3)])
    booting_debians(m, count // 3, chance)
    writing_debians(m, count - 2 * (count // 3), chance)


def warm_up(m):
    """What dom0 and its daemons keep from then on."""
    destroyed(m, 5)
    destroyed_in_chaos(m, 1)
    m.collect(2)


def cycles(m, body):
    """Run a loop of cycles and compare."""
    before = m.holdings()
    body()
    check_equal(m, before)


@pytest.mark.long
def test_cycles(dom0):
    """A few of each kind."""
    chance = random.Random(1)
    m = dom0(files=FILES)
    warm_up(m)
    cycles(m, lambda: destroyed(m, 6))
    cycles(m, lambda: destroyed_in_chaos(m, 6))
    cycles(m, lambda: killed_micros(m, 6, chance))
    cycles(m, lambda: destroyed_with_grants(m, 2))
    make_disk(m)
    debians(m, 3, chance)
    cycles(m, lambda: debians(m, 3, chance))


@pytest.mark.long
def test_many_micro_guests(dom0):
    """Also with few VMIDs, on a CPU that has 255: they are used again."""
    m = dom0(files=FILES, cpu="cortex-a72")
    warm_up(m)
    cycles(m, lambda: destroyed(m, 150))
    cycles(m, lambda: destroyed_in_chaos(m, 150))
    told = m.run("xl dmesg -c >/dev/null; xl debug-keys v; xl dmesg | sed 's/^loam: //'")
    assert any("of 8 bits, generation 2" in line for line in told), told


@pytest.mark.long
def test_many_killed_micro_guests(dom0):
    m = dom0(files=FILES)
    warm_up(m)
    cycles(m, lambda: killed_micros(m, 150, random.Random(2)))


@pytest.mark.long
def test_many_debian_guests(dom0):
    chance = random.Random(3)
    m = dom0(files=FILES)
    warm_up(m)
    make_disk(m)
    debians(m, 3, chance)
    cycles(m, lambda: debians(m, 50, chance))


@pytest.mark.long
@pytest.mark.parametrize("release", XL)
def test_micro_guests_leak_nothing(dom0, release):
    m = dom0(files=FILES)
    create = micro("ticker").replace("xl create", f"{XL[release]} create")
    loop(m, 5, f"{create} && {XL[release]} destroy m", 20)
    m.collect(2)
    cycles(m, lambda: loop(m, 10, f"{create} && {XL[release]} destroy m", 20))


def scrub(m, name, size, word=""):
    """A guest looks through its memory (tests/guests/scrub); did it find what it looked for?"""
    keep = ('on_crash="preserve"', 'on_poweroff="preserve"')
    m.micro(name, "scrub.img", f"memory={size}", f'extra="{word}"', *keep)
    for _ in range(240):
        state = m.domains()[name].state
        if state[3] == "s" or state[4] == "c":
            break
        m.collect(0.5)
    m.run(f"xl destroy {name}")
    assert state[3] == "s" or state[4] == "c", state
    return state[4] == "c"


def test_no_page_is_seen_by_the_next(dom0):
    """A guest fills nearly all memory that is free; the next has the same pages."""
    m = dom0(memory=704, files=FILES)
    size = m.free_pages() // 256 - 12
    assert 140 <= size <= 200
    assert scrub(m, "first", size, "fill")
    for name in ("second", "third"):
        assert not scrub(m, name, size)
