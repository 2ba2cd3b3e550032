# SPDX-License-Identifier: MIT
"""Reads the tables of rows and the plugin's reports, and works out medians, verdicts and tables."""

import collections
import dataclasses
import pathlib
import re
import statistics
import subprocess

FIRMWARE = "firmware"
PROGRAMS = "programs"
OTHERS = (1 << 64) - 1  # detail of traps that were too many to tell apart
MAX_SPREAD = 2  # the maximum may be this many times the median


@dataclasses.dataclass
class Row:
    """One line of rows-ARCH.tbl."""
    name: str
    id: int
    run: str
    goal: int | None
    regs: int | None
    floor: int | None
    title: str


@dataclasses.dataclass
class Measured:
    """What one row cost on one hypervisor, at its level."""
    n: int
    insn: int
    insn_max: int
    sysreg: int
    sysreg_max: int
    others: dict  # event -> median
    firmware: int  # instructions of the firmware, median
    stray: int = 0

    def as_dict(self):
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Report:
    """A parsed report. Counts are those of the hypervisor's level, {event: count}, with the
    instructions of the firmware's level as the event FIRMWARE, and of the level where a host runs
    programs as PROGRAMS."""
    samples: dict  # id -> list of counts
    strays: dict
    points: list   # (id, vcpu, counts)
    blocks: list   # (address, bytes, instructions, runs)
    path: list     # (address, bytes, instructions), in order, of one sample of the profiled row
    traps: list    # Trap


@dataclasses.dataclass
class Trap:
    """Traps into one level with one cause and detail: see plugin/target.h."""
    level: int
    cause: int
    detail: int
    times: int
    insns: int


def read_rows(path):
    rows = []
    for line in pathlib.Path(path).read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, number, run, goal, regs, floor, title = line.split(None, 6)
        optional = [None if field == "-" else int(field) for field in (goal, regs, floor)]
        rows.append(Row(name, int(number), run, *optional, title))
    return rows


def read_report(path, arch):
    report = Report(collections.defaultdict(list), {}, [], [], [], [])
    events = []
    for line in pathlib.Path(path).read_text().splitlines():
        kind, *words = line.split()
        if kind == "events":
            events = words
        elif kind == "sample":
            report.samples[int(words[0])].append(level_counts(arch, events, words[1:]))
        elif kind == "stray":
            report.strays[int(words[0])] = int(words[1])
        elif kind == "point":
            counts = level_counts(arch, events, words[2:])
            report.points.append((int(words[0]), int(words[1]), counts))
        elif kind == "block":
            report.blocks.append((int(words[0], 16), *map(int, words[1:])))
        elif kind == "path":
            report.path.append((int(words[0], 16), *map(int, words[1:])))
        elif kind == "trap":
            report.traps.append(Trap(*(int(word, 0) for word in words)))
    return report


def level_counts(arch, events, words):
    first = arch.hypervisor * len(events)
    counts = dict(zip(events, map(int, words[first:first + len(events)])))
    for event, level in ((FIRMWARE, arch.firmware_level), (PROGRAMS, arch.programs_level)):
        counts[event] = 0 if level is None else int(words[level * len(events)])
    return counts


def measure(report, row):
    """The Measured of a row, or None when the report has no sample of it."""
    samples = report.samples.get(row.id)
    if not samples:
        return None
    column = {event: [s[event] for s in samples] for event in samples[0]}
    median = {event: statistics.median_low(values) for event, values in column.items()}
    others = {e: m for e, m in median.items() if e not in ("insn", "sysreg", FIRMWARE, PROGRAMS) and m}
    return Measured(len(samples), median["insn"], max(column["insn"]), median["sysreg"],
                    max(column["sysreg"]), others, median[FIRMWARE], report.strays.get(row.id, 0))


def judge(row, got):
    """(met, text): whether a goal holds; (None, "") when the row has none."""
    if row.goal is None or got is None:
        return None, ""
    if got.insn > row.goal:
        return False, "no"
    if row.regs is not None and got.sysreg > row.regs:
        return False, "no: registers"
    if got.insn_max > MAX_SPREAD * max(got.insn, 1):
        return False, "no: maximum"
    return True, "yes"


def self_test_errors(source, parsed):
    """What differs from the EXPECT lines of the self test; an empty list when nothing does."""
    errors = []
    for number, fields in re.findall(r"EXPECT (\d+) (.*)", pathlib.Path(source).read_text()):
        samples = parsed.samples.get(int(number), [])
        expected = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", fields)}
        if not samples:
            errors.append(f"interval {number}: no samples")
        errors += [f"interval {number}: {sample}, expected {expected}"
                   for sample in samples
                   if {e: n for e, n in sample.items()
                       if e not in (FIRMWARE, PROGRAMS)} != expected]
    return errors


def boot_instructions(report):
    """Instructions of the hypervisor until the first instruction of the first guest (point 1)."""
    return next((at["insn"] for number, _, at in report.points if number == 1), None)


def instructions_of(report, symbols, functions):
    """Instructions in some functions, from a profile of the whole run; None without symbols."""
    if not symbols:
        return None
    total = 0
    for address, _, length, runs in report.blocks:
        if symbol_of(symbols, address)[0].split(".")[0] in functions:
            total += length * runs
    return total


def table(header, rows):
    """A table in Markdown whose columns line up on a terminal."""
    cells = [header] + rows
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
    lines = []
    for row in [header, rule] + rows:
        first = row[0].ljust(widths[0])
        rest = [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        lines.append("| " + " | ".join([first] + rest) + " |")
    return "\n".join(lines)


def count_text(insn, sysreg):
    return f"{insn:,} ({sysreg})" if sysreg is not None else f"{insn:,}"


def read_symbols(elf, nm):
    """Sorted (address, name) of the functions and labels in an ELF file's text."""
    out = subprocess.run([nm, "-n", "--defined-only", str(elf)], text=True, check=True,
                         stdout=subprocess.PIPE).stdout
    return [(int(m[1], 16), m[2]) for m in re.finditer(r"^([0-9a-f]+) [tTwW] (.+)$", out, re.M)
            if not m[2].startswith("$")]


def symbol_of(symbols, address):
    low, high = 0, len(symbols)
    while low < high:
        middle = (low + high) // 2
        if symbols[middle][0] <= address:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return "?", 0
    base, name = symbols[low - 1]
    return name, address - base


def join_blocks(blocks):
    """Runs of instructions executed equally often, from blocks that follow one another."""
    joined = []
    for address, size, length, runs in sorted(merge_same(blocks)):
        if joined and joined[-1][0] + joined[-1][1] == address and joined[-1][3] == runs:
            joined[-1][1] += size
            joined[-1][2] += length
        else:
            joined.append([address, size, length, runs])
    return joined


def merge_same(blocks):
    """Blocks that the emulator translated more than once, added up."""
    total = collections.Counter()
    for address, size, length, runs in blocks:
        total[address, size, length] += runs
    return [(*block, runs) for block, runs in total.items()]


def profile_text(report, symbols, samples, limit=40):
    """Where the instructions went, by function and by run, per sample when there are any."""
    divisor = max(samples, 1)
    functions = collections.Counter()
    for address, _, length, runs in report.blocks:
        functions[symbol_of(symbols, address)[0]] += length * runs
    total = max(sum(functions.values()), 1)
    lines = [f"{total / divisor:14,.1f}  all, over {divisor} samples", "", "by function:"]
    lines += [f"{n / divisor:14,.1f}  {100 * n / total:5.1f} %  {name}"
              for name, n in functions.most_common(limit)]
    lines += ["", "by run of instructions (times x length, where):"]
    busiest = sorted(join_blocks(report.blocks), key=lambda b: -b[2] * b[3])
    for address, _, length, runs in busiest[:limit]:
        name, offset = symbol_of(symbols, address)
        lines.append(f"{runs / divisor:14,.2f} x {length:3}  {address:#x} {name}+{offset:#x}")
    return "\n".join(lines)


def path_text(report, symbols):
    """The last sample's way through the hypervisor: one line per straight run of instructions."""
    straight = []
    for address, size, length in report.path:
        if straight and straight[-1][0] + straight[-1][1] == address:
            straight[-1][1] += size
            straight[-1][2] += length
        else:
            straight.append([address, size, length])
    lines = ["the last sample, in order (so far, length, where):"]
    total = 0
    for address, _, length in straight:
        name, offset = symbol_of(symbols, address)
        total += length
        lines.append(f"{total:8} {length:4}  {address:#x} {name}+{offset:#x}")
    return "\n".join(lines)
