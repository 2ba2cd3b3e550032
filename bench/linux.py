# SPDX-License-Identifier: MIT
"""Boots Debian's kernel on Loam and counts what that costs the hypervisor.

The guest is the one of `./loam run` (tools/mkguest, tools/loamdt.py): 256 MiB, 1 vCPU, `quiet`. A
second archive behind its initial ramdisk replaces /init by one that starts linux/mark.c of the
guest's directory once it has said "ready". Counted is

    boot      from the guest's first instruction (point 0) to that program's (point 1)
    console   from there to where 32 lines have left the UART (point 2)
"""

import dataclasses
import gzip
import os
import pathlib
import shutil
import subprocess
import sys

import machine
import report
import report
from build import BuildError, run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tools"))
import loamdt  # noqa: E402 (needs the path)

READY_LINE = 'echo "guest $name: ready'
MEMORY_MIB = 1024
CONSOLE_GOAL = 1000  # instructions per exit
CONSOLE_LINES = 32

# Priv. spec 21.6.2, table 45
CAUSES = {
    0x5: "load access fault", 0x2: "illegal instruction",
    0xa: "ecall", 0x14: "fetch guest-page fault", 0x15: "load", 0x16: "virtual instruction",
    0x17: "store", 1 << 63 | 1: "software interrupt", 1 << 63 | 5: "timer interrupt",
    1 << 63 | 9: "external interrupt", 1 << 63 | 12: "guest external interrupt",
}
ECALL, VIRTUAL_INSN, FAULTS = 0xa, 0x16, (0x14, 0x15, 0x17)


@dataclasses.dataclass(frozen=True)
class Case:
    """One boot."""
    name: str
    title: str
    aia: str
    aia_guests: int
    goal: int | None           # instructions of the hypervisor during the boot
    console_goal: int | None   # per exit
    exact: bool = True         # False: a host thread per CPU, counts are approximate
    cpus: int = 1
    domains: int = 1
    vcpus: int = 1


CASES = (
    Case("linux_plic", "PLIC", "none", 0, 10_000_000, CONSOLE_GOAL),
    Case("linux_imsic", "APLIC and IMSIC, 3 guest files", "aplic-imsic", 3, 2_000_000, None),
)

# Two guests of two vCPUs on two CPUs, until the first is done: only when they are named.
SMP = {"exact": False, "cpus": 2, "domains": 2, "vcpus": 2}
CASES_NAMED = (
    Case("linux_smp_plic", "2 x 2 vCPUs, PLIC", "none", 0, None, None, **SMP),
    Case("linux_smp_imsic", "2 x 2 vCPUs, IMSIC", "aplic-imsic", 3, None, None, **SMP),
)


@dataclasses.dataclass
class Result:
    """What one boot cost: counts of the hypervisor's level."""
    case: Case
    start: dict
    boot: dict
    console: dict
    firmware: int
    traps: list  # of the whole run, into the hypervisor


def marked_init(guest_init):
    """The guests' /init, and /bin/mark once it is ready."""
    head, found, rest = guest_init.partition(READY_LINE)
    line, _, tail = rest.partition("\n")
    if not found:
        raise BuildError("tools/guest/init has no line that says ready")
    return f"{head}{found}{line}\n/bin/mark\n{tail}"


def build_ramdisk(arch, out, work):
    """The guest's ramdisk with another archive behind it, which the kernel unpacks over it."""
    base = out / f"guest-{arch.name}/initrd.cpio.gz"
    if not base.exists():
        raise BuildError(f"no guest in {base.parent}: `./loam run --arch {arch.name} --dry-run`, "
                         "or tools/mkguest, makes it")
    tree = work / "overlay"
    (tree / "bin").mkdir(parents=True)
    init = tree / "init"
    init.write_text(marked_init((ROOT / "tools/guest/init").read_text()))
    init.chmod(0o755)
    run([arch.tool("gcc"), "-O2", "-nostdlib", "-static", "-ffreestanding", "-s",
         "-o", tree / "bin/mark", HERE / f"guest-{arch.name}/linux/mark.c"])
    names = ("init", "bin", "bin/mark")
    for name in names:
        os.utime(tree / name, (0, 0))  # in the archive, whose bytes decide what a boot does when
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--reproducible", "--quiet"],
                             cwd=tree, input="\n".join(names).encode() + b"\n",
                             stdout=subprocess.PIPE, check=True)
    first = base.read_bytes()
    target = work / "initrd.cpio.gz"
    target.write_bytes(first + bytes(-len(first) % 4) + gzip.compress(archive.stdout, mtime=0))
    return target


def compose(machine_, case, image, out, work):
    board = loamdt.Board(out=str(out), cpus=case.cpus, memory=MEMORY_MIB, arch=machine_.arch.name,
                         cpu=machine_.cpu, aia=case.aia, aia_guests=case.aia_guests,
                         hypervisor=str(image))
    ramdisk = str(build_ramdisk(machine_.arch, out, work))
    board.domains = [
        loamdt.Domain(f"dom{i + 1}", ramdisk=ramdisk, cpus=case.vcpus,
                      bootargs="console={console} quiet") for i in range(case.domains)
    ]
    try:
        command = board.compose(str(work))
    except loamdt.BoardError as error:
        raise BuildError(str(error)) from error
    console = command.index("stdio,id=con,signal=off")
    command[console] = f"file,id=con,path={work / 'console.log'}"
    # Not as the board's own options: with those it asks QEMU for its tree, too.
    return command + [
        *(machine.DETERMINISTIC if case.exact else ()), "-monitor", "none",
        "-plugin", f"file={machine_.plugin.resolve()},out={work / 'report.txt'}",
    ]


def is_reported(path):
    return path.exists() and path.read_text().endswith("end\n")


def execute(machine_, case, image, out, work):
    """Boots once and returns the Result; RunError when there is none."""
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    path = work / "report.txt"
    command = compose(machine_, case, image, out, work)
    machine.run_emulator(command, work, lambda: is_reported(path), machine_.timeout)
    where = f"(console: {work / 'console.log'}, emulator: {work / 'qemu.log'})"
    if not is_reported(path):
        raise machine.RunError(f"the plugin wrote no complete report {where}")
    parsed = report.read_report(path, machine_.arch)
    at = {number: counts for number, _, counts in reversed(parsed.points)}  # each one's first
    if not {0, 1, 2} <= at.keys():
        raise machine.RunError(f"the guest did not get to its program {where}")
    traps = [t for t in parsed.traps if t.level == machine_.arch.hypervisor]
    return Result(case, at[0], minus(at[1], at[0]), minus(at[2], at[1]),
                  at[1][report.FIRMWARE] - at[0][report.FIRMWARE], traps)


def minus(a, b):
    return {event: a[event] - b[event] for event in a}


def per_exit(counts):
    return counts["insn"] / max(counts["trap"], 1)


def misses(result):
    return ((result.case.goal is not None and result.boot["insn"] > result.case.goal) or
            (result.case.console_goal is not None and
             per_exit(result.console) > result.case.console_goal))


def trap_title(trap):
    cause = CAUSES.get(trap.cause, f"cause {trap.cause:#x}")
    if trap.cause in FAULTS:
        return f"{cause}, page {trap.detail << 2:#x}"
    if trap.cause == ECALL:
        return f"{cause}, extension {trap.detail:#x}"
    if trap.cause == VIRTUAL_INSN:
        return f"{cause} {trap.detail:#010x}"
    return cause


def verdict(value, goal):
    return ["", ""] if goal is None else [f"{goal:,}", "yes" if value <= goal else "no"]


def text(result, arch):
    """Two tables: the phases, and the exits of the whole run by cause."""
    boot, console = result.boot, result.console
    lines = [
        ["hypervisor entry to first guest instruction", f"{result.start['insn']:,}",
         "", "", "", ""],
        ["first guest instruction to \"ready\"", f"{boot['insn']:,}", f"{boot['trap']:,}",
         f"{per_exit(boot):,.0f}", *verdict(boot["insn"], result.case.goal)],
        [f"{CONSOLE_LINES} lines on the console", f"{console['insn']:,}", f"{console['trap']:,}",
         f"{per_exit(console):,.0f}",
         *verdict(per_exit(console), result.case.console_goal)],
        ["firmware, until \"ready\"", f"{result.firmware:,}", "", "", "", ""],
    ]
    about = "" if result.case.exact else " (approximate)"
    header = [f"Debian guest, {result.case.title}{about}", f"instructions at {arch.level_name}",
              "exits", "per exit", "goal", "met"]
    traps = sorted(result.traps, key=lambda t: -t.insns)
    exits = [[trap_title(t), f"{t.times:,}", f"{t.insns:,}", f"{t.insns / t.times:,.0f}"]
             for t in traps]
    return (report.table(header, lines) + "\n\n" +
            report.table(["exits until the end", "times", "instructions", "per exit"], exits))
