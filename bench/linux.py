# SPDX-License-Identifier: MIT
"""Boots Debian's kernel on Loam, and on peers, and counts what that costs the hypervisor.

The guest is the one of `./loam run` (tools/mkguest, tools/loamdt.py): 256 MiB, 1 vCPU, `quiet`. A
second archive behind its initial ramdisk replaces /init by one that starts linux/mark.c of the
guest's directory once it has said "ready". Counted is

    own boot  from the hypervisor's entry, or point 3, to the guest's first instruction (point 0)
    boot      from there to that program's first (point 1)
    console   from there to where 32 lines have left the UART (point 2)

A peer that runs on a host of its own marks point 3 where it begins to make the guest.
"""

import dataclasses
import gzip
import pathlib
import shutil
import sys

import machine
import report
from build import BuildError, archive, behind, run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tools"))
import loamdt  # noqa: E402 (needs the path)

READY_LINE = 'echo "guest $name: ready'
MEMORY_MIB = 1024
CONSOLE_GOAL = 1000  # instructions per exit
CONSOLE_LINES = 32
GUEST_MIB = 256
BOOT_OWN_GOAL = 3_000_000  # beside copying and clearing
PEER_CAUSES = 8            # how many are shown

# Functions of Loam that copy a guest's modules and clear its RAM.
COPYING = ("guest_phys_write", "copy_up", "copy_down", "memcpy")
CLEARING = ("guest_phys_clear", "clear_ram", "arch_clear_pages", "memset")

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
    goal: int | None           # instructions of the exits during the boot
    console_goal: int | None   # per exit
    exact: bool = True         # False: a host thread per CPU, counts are approximate
    cpus: int = 1
    domains: int = 1
    vcpus: int = 1


CASES = (
    Case("linux_plic", "PLIC", "none", 0, 10_000_000, CONSOLE_GOAL),
    Case("linux_imsic", "APLIC and IMSIC, 3 guest files", "aplic-imsic", 3, 2_000_000, None),
    Case("linux_imsic_plic", "APLIC and IMSIC without guest files", "aplic-imsic", 0, 2_000_000,
         CONSOLE_GOAL),
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
    name: str             # of the hypervisor
    case: Case
    start: dict           # own boot
    copying: int | None   # of it; None where there are no symbols
    clearing: int | None
    boot: dict
    console: dict
    programs: int         # until "ready": programs of a host beside its kernel
    firmware: int         # until "ready", its own start included
    traps: list           # of the whole run, into the hypervisor

    def rest(self):
        """Of its own boot what is neither copying nor clearing; None if it cannot be told."""
        return None if self.copying is None else self.start["insn"] - self.copying - self.clearing


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
    more = gzip.compress(archive(tree, ("init", "bin", "bin/mark")), mtime=0)
    target = work / "initrd.cpio.gz"
    target.write_bytes(behind(base.read_bytes(), more))
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
    return command


def is_reported(path):
    return path.exists() and path.read_text().endswith("end\n")


def counted(machine_, case, command, work):
    """The command with the counter and what makes its counts exact.

    These are no options of loamdt's board: it asks QEMU for its tree with those, too.
    """
    profile = f",profile={machine_.arch.hypervisor},until=0" if case.exact else ""
    return command + [
        *(machine.DETERMINISTIC if case.exact else ()), "-monitor", "none",
        "-plugin", f"file={machine_.plugin.resolve()},out={work / 'report.txt'}{profile}",
    ]


def boot(machine_, command, work, directory=None):
    """Boots once and returns the parsed report; RunError when there is none."""
    path = work / "report.txt"
    machine.run_emulator(command, work, lambda: is_reported(path), machine_.timeout, directory)
    where = f"(console: {work / 'console.log'}, emulator: {work / 'qemu.log'})"
    if not is_reported(path):
        raise machine.RunError(f"the plugin wrote no complete report {where}")
    parsed = report.read_report(path, machine_.arch)
    if not {0, 1, 2} <= {number for number, _, _ in parsed.points}:
        raise machine.RunError(f"the guest did not get to its program {where}")
    return parsed


def emptied(work):
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    return work.resolve()


def execute(machine_, case, image, elf, out, work):
    """Boots Loam once; the Result, or RunError."""
    work = emptied(work)
    command = counted(machine_, case, compose(machine_, case, image, out, work), work)
    parsed = boot(machine_, command, work)
    return result(machine_, "Loam", case, parsed, elf, COPYING, CLEARING)


def execute_peer(machine_, case, peer, work):
    """The same for a peer that has the case's row."""
    work = emptied(work)
    command = peer.command(machine_.arch.emulator(), case.name, work / "console.log")
    parsed = boot(machine_, counted(machine_, case, command, work), work, peer.directory)
    return result(machine_, peer.name, case, parsed, peer.symbol_file(case.name), peer.copying,
                  peer.clearing)


def result(machine_, name, case, parsed, elf, copying, clearing):
    at = {number: counts for number, _, counts in reversed(parsed.points)}  # each one's first
    nothing = dict.fromkeys(at[0], 0)
    start = at.get(3, nothing)
    bulk = [None, None]
    if case.exact and (copying or clearing) and elf is not None and elf.exists():
        symbols = report.read_symbols(elf, machine_.arch.tool("nm"))
        bulk = [report.instructions_of(parsed, symbols, names) for names in (copying, clearing)]
    until_ready = minus(at[1], start)
    traps = [t for t in parsed.traps if t.level == machine_.arch.hypervisor]
    return Result(name, case, minus(at[0], start), *bulk, minus(at[1], at[0]),
                  minus(at[2], at[1]), until_ready[report.PROGRAMS],
                  until_ready[report.FIRMWARE], traps)


def minus(a, b):
    return {event: a[event] - b[event] for event in a}


def per_exit(counts):
    return counts["insn"] / max(counts["trap"], 1)


def misses(got):
    """Does Loam miss a goal?"""
    pairs = ((got.boot["insn"], got.case.goal), (per_exit(got.console), got.case.console_goal),
             (got.rest(), BOOT_OWN_GOAL if got.case.exact else None))
    return any(value is not None and goal is not None and value > goal for value, goal in pairs)


def trap_title(trap):
    cause = CAUSES.get(trap.cause, f"cause {trap.cause:#x}")
    if trap.detail == report.OTHERS:
        return f"{cause}, others"
    if trap.cause in FAULTS:
        return f"{cause}, page {trap.detail << 2:#x}"
    if trap.cause == ECALL:
        return f"{cause}, extension {trap.detail:#x}"
    if trap.cause == VIRTUAL_INSN:
        return f"{cause} {trap.detail:#010x}"
    return cause


def line(title, values, goal=None, judged=None):
    """One row of the table; the goal is Loam's, whose value is `judged`."""
    text = [title, *("-" if value is None else f"{value:,.0f}" for value in values)]
    if goal is None or judged is None:
        return text + ["", ""]
    return text + [f"{goal:,}", "yes" if judged <= goal else "no"]


def phases(results, module_mib):
    """One column per hypervisor."""
    case = results[0].case
    loam = next((r for r in results if r.name == "Loam"), None)

    def row(title, value, goal=None):
        return line(title, [value(r) for r in results], goal, value(loam) if loam else None)

    def per_mib(instructions, mib):
        return instructions / mib if instructions else None  # nothing of the kind: none either

    lines = [row('in all, until "ready"', lambda r: r.start["insn"] + r.boot["insn"]),
             row("until the guest's first instruction", lambda r: r.start["insn"])]
    if case.exact:
        lines += [
            row(f"  clearing {GUEST_MIB} MiB of RAM, per MiB",
                lambda r: per_mib(r.clearing, GUEST_MIB)),
            row(f"  copying {module_mib:.1f} MiB of kernel and ramdisk, per MiB",
                lambda r: per_mib(r.copying, module_mib)),
            row("  the rest", Result.rest, BOOT_OWN_GOAL),
        ]
    return lines + [
        row('exits from there until "ready"', lambda r: r.boot["insn"], case.goal),
        row("  how many", lambda r: r.boot["trap"]),
        row("  per exit", lambda r: per_exit(r.boot)),
        row(f"exits of {CONSOLE_LINES} lines on the console", lambda r: r.console["insn"]),
        row("  how many", lambda r: r.console["trap"]),
        row("  per exit", lambda r: per_exit(r.console), case.console_goal),
        row('in U mode until "ready": programs of a host', lambda r: r.programs),
        row('in M mode until "ready": the firmware', lambda r: r.firmware),
    ]


def by_cause(traps):
    """Traps of the same cause added up."""
    total = {}
    for trap in traps:
        kind = total.setdefault(trap.cause, dataclasses.replace(trap, times=0, insns=0))
        kind.times += trap.times
        kind.insns += trap.insns
    return list(total.values())


def exits(got):
    """A table of the whole run's exits: Loam's with what they were about."""
    if got.name == "Loam":
        traps, title = got.traps, trap_title
    else:
        traps, title = by_cause(got.traps), lambda t: CAUSES.get(t.cause, f"cause {t.cause:#x}")
    lines = [[title(t), f"{t.times:,}", f"{t.insns:,}", f"{t.insns / t.times:,.0f}"]
             for t in sorted(traps, key=lambda t: -t.insns)]
    if got.name != "Loam":
        lines = lines[:PEER_CAUSES]
    return report.table([f"exits of {got.name} until the end", "times", "instructions",
                         "per exit"], lines)


def text(results, arch, out):
    """The tables of one case: the phases, and the exits by cause of each hypervisor."""
    case = results[0].case
    guest = out / f"guest-{arch.name}"
    module_mib = sum((guest / name).stat().st_size
                     for name in ("vmlinuz", "initrd.cpio.gz")) / (1 << 20)
    about = "" if case.exact else " (approximate)"
    header = [f"Debian guest, {case.title}{about}; instructions at {arch.level_name}",
              *(r.name for r in results), "goal", "met"]
    return "\n\n".join([report.table(header, phases(results, module_mib)),
                        *(exits(r) for r in results)])
