# SPDX-License-Identifier: MIT
"""Boots a Debian dom0 and counts what `xl create` and `xl destroy` cost the hypervisor.

dom0 is the one of `./loam run` (tools/mkdom0), with one virtual CPU on one CPU. A second archive
behind its ramdisk replaces /init by one that, once all daemons run, makes and destroys a micro
guest of 16 MiB again and again by linux/span.c of the guest's directory. Each sample is what EL2
did meanwhile, less what it did in an idle span as long, which comes right after.
"""

import dataclasses
import pathlib
import re
import shutil
import sys

import machine
from build import BuildError, archive, behind, run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tools"))
import loamdt  # noqa: E402 (needs the path)

RUN = "toolstack"  # in the table of rows
READY_LINE = 'echo "dom0: ready'
MEMORY_MIB = 1024
ROUNDS = 8
TIMEOUT = 400  # seconds: a boot of Debian and some twenty lives of guests, all counted
GUEST = """'kernel="/bench/guest.img"' memory=16 'extra="every=60000"'"""

# The first guest's life is not measured: programs and pages come into dom0's memory then.
SCRIPT = f"""
life() {{
    "$@" /usr/sbin/xl create /dev/null 'name="m"' {GUEST} >/dev/null || echo "bench: FAIL create"
}}
death() {{ "$@" /usr/sbin/xl destroy m >/dev/null || echo "bench: FAIL destroy"; }}
life; death; sleep 1
round=0
while [ $round -lt {ROUNDS} ]; do
    life span create; death span destroy
    round=$((round + 1))
done
echo "bench: done run={RUN} n=$round failures=0"
sleep 1
span report
poweroff -f
"""


def bench_init():
    """dom0's /init, and the rounds in place of its shell."""
    head, found, _ = (ROOT / "tools/dom0/init").read_text().partition(READY_LINE)
    if not found:
        raise BuildError("tools/dom0/init has no line that says ready")
    return head + 'export PATH="/bench:$PATH"\n' + SCRIPT


def build_ramdisk(arch, out, build_dir, work):
    """dom0's ramdisk with another archive behind it, which the kernel unpacks over it."""
    base = out / "dom0/initrd.cpio"
    guest = out / arch.name / "guests/ticker.img"
    for path, maker in ((base, "`./loam run --dry-run`, or tools/mkdom0,"),
                        (out / "guest/vmlinuz", "`./loam run --dry-run`, or tools/mkguest,"),
                        (guest, f"`make -C tests/guests ARCH={arch.name}`")):
        if not path.exists():
            raise BuildError(f"there is no {path}: {maker} makes it")
    tree = work / "overlay"
    (tree / "bench").mkdir(parents=True)
    (tree / "init").write_text(bench_init())
    (tree / "init").chmod(0o755)
    shutil.copyfile(guest, tree / "bench/guest.img")
    run([arch.tool("gcc"), "-O2", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector",
         "-mgeneral-regs-only", "-s", f"-I{build_dir}", "-o", tree / "bench/span",
         HERE / f"guest-{arch.name}/linux/span.c"])
    target = work / "initrd.cpio"
    more = archive(tree, ("init", "bench", "bench/guest.img", "bench/span"))
    target.write_bytes(behind(base.read_bytes(), more))
    return target


def without_seeds(source):
    """A tree that is the same each time: QEMU's has random numbers in it."""
    return re.sub(r"(kaslr|rng)-seed = <[^>]*>;", "", source)


def compose(machine_, image, out, build_dir, work):
    ramdisk = build_ramdisk(machine_.arch, out, build_dir, work)
    board = loamdt.Board(
        out=str(out), cpus=1, memory=MEMORY_MIB, arch=machine_.arch.name, cpu=machine_.cpu,
        hypervisor=str(image), bootargs=machine_.arch.command_line, edit_source=without_seeds,
        dom0=loamdt.Dom0(ramdisk=str(ramdisk), memory=512, cpus=1, bootargs="quiet"))
    try:
        command = board.compose(str(work))
    except loamdt.BoardError as error:
        raise BuildError(str(error)) from error
    command[command.index("stdio,id=con,signal=off")] = f"file,id=con,path={work / 'console.log'}"
    return command


def execute(machine_, image, work, profile, out, build_dir):
    """Boots one hypervisor; machine.Result, or RunError."""
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    work = work.resolve()
    path = work / "report.txt"
    plugin = f"file={machine_.plugin.resolve()},out={path}{',' + profile if profile else ''}"
    command = [*compose(machine_, image, out, build_dir, work), *machine.DETERMINISTIC,
               "-monitor", "none", "-plugin", plugin]
    in_time = machine.run_emulator(command, work, lambda: is_reported(path),
                                   max(TIMEOUT, machine_.timeout))
    console = machine.read_console(work)
    where = f"(console: {work / 'console.log'}, emulator: {work / 'qemu.log'})"
    if not is_reported(path):
        why = "ended early" if in_time else "did not finish in time"
        raise machine.RunError(f"the plugin wrote no complete report, the run {why} {where}")
    failures = [line.strip() for line in machine.FAIL.findall(console)]
    if not machine.DONE.search(console):
        failures.append(f"dom0 did not get to its end {where}")
    return machine.Result(path, console, failures)


def is_reported(path):
    return path.exists() and path.read_text().endswith("end\n")


def less_idle(parsed, rows):
    """The report with what was done in the idle spans taken off those with a command."""
    by_name = {row.name: row for row in rows}
    samples = dict(parsed.samples)
    for row in rows:
        idle = by_name.get(f"{row.name}_idle")
        if row.run == RUN and idle is not None:
            pairs = zip(parsed.samples.get(row.id, ()), parsed.samples.get(idle.id, ()))
            samples[row.id] = [{event: max(0, busy[event] - quiet[event]) for event in busy}
                               for busy, quiet in pairs]
    return dataclasses.replace(parsed, samples=samples)
