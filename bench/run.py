#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts what Loam costs, in instructions and system-register accesses outside the guest.

Builds a counting QEMU plugin and a small guest, boots Loam (and on arm64 Debian's Xen 4.17) with
that guest as boot-time domains, one emulator at a time, and prints one table with the goals. On
riscv64 it also boots Debian's kernel and counts exits by cause, beside peers of the user's. The
numbers are exact and repeatable; README.md in this directory explains them.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import sys

import arch
import build
import linux
import machine
import peer
import report
import toolstack
from machine import Domain, Run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

BOOT_GOAL, BOOT_GROWTH = 10_000_000, 0.10
IMAGE_GOAL, DOMAIN_GOAL_KIB, VCPU_GOAL_KIB = 300_000, 40, 12
# Printed by Loam for each boot-time domain, and by the guest for what it made as Xen's dom0.
MEMORY_LINE = r"mem: domain (\S+) uses (\d+) KiB, (\d+) KiB per vCPU"

NO_PAUTH = "bench: FP live, no PAuth"
EXTRA_ROWS = {
    "arm64": ("boot_2g", "boot_8g", "image", "memory"),
    "riscv64": ("boot_2g", "image", "memory",
                *(case.name for case in linux.CASES + linux.CASES_NAMED)),
}
BULK = linux.COPYING + linux.CLEARING


def runs_riscv64(n):
    """The boots on riscv64 by name: rows-riscv64.tbl names them in its run column."""
    aia = ",aia=aplic-imsic,aia-guests=3"
    return {
        "core": Run("core", [Domain(f"run=core n={n}")]),
        "aia": Run("aia", [Domain(f"run=core n={n}")], board=aia),
        "smp": Run("smp", [Domain(f"run=smp n={n}", vcpus=2, pinned=True)], cpus=2),
        "smp_aia": Run("smp_aia", [Domain(f"run=smp n={n}", vcpus=2, pinned=True)], cpus=2,
                       board=aia),
        "switch": Run("switch", [Domain(f"run=switch seed={s} n={n}") for s in "ab"]),
        "switch_aia": Run("switch_aia", [Domain(f"run=switch seed={s} n={n}") for s in "ab"],
                          board=aia),
        "boot_2g": Run("boot_2g", [Domain("run=boot")]),
    }


def runs_arm64(hypervisor, n):
    """The boots of one hypervisor by name: rows-arm64.tbl names them in its run column."""
    is_loam = hypervisor == "loam"
    dedicated = Domain(f"run=dedicated n={n}", null_pool_cpu=1 if is_loam else None)
    dom0 = Domain("run=boot", is_dom0=True)
    runs = {
        "core": Run("core", [Domain(f"run=core n={n}")]),
        "dedicated": Run("dedicated", [dedicated], cpus=2 if is_loam else 1,
                         command_line="vwfi=native"),
        "smp": Run("smp", [Domain(f"run=smp n={n}", vcpus=2)], cpus=2),
        "switch": Run("switch", [Domain(f"run=switch seed={s} n={n}") for s in "ab"]),
        "boot_2g": Run("boot_2g", [Domain("run=boot")]),
        "boot_8g": Run("boot_8g", [Domain("run=boot")], memory_mib=8192),
    }
    runs["events"] = Run("events", [Domain(f"run=events n={n}", is_dom0=True),
                                    Domain(f"run=echo n={n}")], command_line="dom0_mem=64M")
    runs["domains"] = Run("domains", [Domain(f"run=domains n={n}", is_dom0=True)],
                          command_line="dom0_mem=64M")
    runs[toolstack.RUN] = Run(toolstack.RUN, [])
    if not is_loam:
        runs["objects"] = Run("objects", [Domain("run=objects", is_dom0=True)],
                              command_line="dom0_mem=64M")
        for name in ("boot_2g", "boot_8g"):
            runs[name + "_dom0"] = Run(name + "_dom0", [dom0], memory_mib=runs[name].memory_mib,
                                       command_line="dom0_mem=64M")
    return runs


class Bench:
    """One invocation: what was asked, what was built, what came out."""

    def __init__(self, options, rows):
        self.options = options
        self.rows = rows
        self.arch = options.arch
        self.has_linux = self.arch is arch.RISCV64
        self.is_boot_split = self.arch is arch.RISCV64
        self.linux = {}  # name of a case -> list of Result, Loam's first
        self.peers = []
        self.out = options.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.measured = {"loam": {}, "xen": {}}
        self.extra = {"loam": {}, "xen": {}}
        self.problems = []
        self.remarks = []
        self.images = {}

    def wanted(self, name):
        return not self.options.only or name in self.options.only

    def wanted_runs(self, hypervisor):
        names = [row.run for row in self.rows if self.wanted(row.name)]
        names += [name for name in EXTRA_ROWS[self.arch.name]
                  if name.startswith("boot_") and self.wanted(name)]
        if hypervisor == "xen":
            names += [name + "_dom0" for name in ("boot_2g", "boot_8g") if self.wanted(name)]
        if self.wanted("memory"):
            names.append("objects" if hypervisor == "xen" else "boot_2g")
        return list(dict.fromkeys(names))

    def prepare(self):
        self.machine = machine.Machine(
            self.arch, self.options.cpu, build.build_guest(self.arch, self.out, self.rows),
            build.build_plugin(self.out), self.options.timeout)
        if not self.options.no_loam:
            if self.options.loam.exists():
                self.images["loam"] = self.options.loam
            else:
                self.problem(f"no Loam image at {self.options.loam}: build it with "
                             f"`make ARCH={self.arch.name}`, or name one with --loam")
        if not self.options.no_xen:
            try:
                self.images["xen"] = self.options.xen or build.fetch_xen(self.out)
            except build.BuildError as error:
                self.note(f"no Xen to compare with: {error}")
        rows = [case.name for case in linux.CASES if self.has_linux]
        self.peers = [peer.read(path, rows) for path in self.options.peer]

    def note(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def self_test(self):
        """Known instructions, counted: whatever follows is worth as much as this."""
        program = build.build_self_test(self.arch, self.out)
        path = machine.self_test(self.machine, program, self.out / "runs/selftest")
        parsed = report.read_report(path, self.arch)
        for error in report.self_test_errors(build.self_test_source(self.arch), parsed):
            self.problem(f"the counter's self test: {error}")

    def problem(self, text):
        self.problems.append(text)
        self.note(text)

    def profile_arguments(self, run):
        profile = f"profile={self.arch.hypervisor}"
        if self.is_boot_split and run.name.startswith("boot_"):
            return profile
        if not self.options.profile:
            return ""
        row = next((r for r in self.rows if r.name in self.options.only), None)
        return f"{profile},interval={row.id}" if row else profile

    def execute(self, hypervisor, run):
        work = self.out / "runs" / f"{hypervisor}-{run.name}"
        self.note(f"{hypervisor}: {run.name}")
        image, profile = self.images[hypervisor], self.profile_arguments(run)
        try:
            if run.name == toolstack.RUN:
                result = toolstack.execute(self.machine, image, work, profile, ROOT / "out",
                                           self.out)
            else:
                result = machine.execute(self.machine, run, image, work, profile)
        except (machine.RunError, build.BuildError) as error:
            self.problem(f"{hypervisor}, run {run.name}: {error}")
            return
        for failure in dict.fromkeys(result.failures):
            self.problem(f"{hypervisor}, run {run.name}: {failure}")
        parsed = toolstack.less_idle(report.read_report(result.report, self.arch), self.rows)
        self.collect(hypervisor, run, result, parsed)
        if self.options.profile:
            self.print_profile(hypervisor, parsed)

    def collect(self, hypervisor, run, result, parsed):
        for row in self.rows:
            if row.run == run.name and self.wanted(row.name):
                self.measured[hypervisor][row.name] = report.measure(parsed, row)
        if NO_PAUTH in result.console:
            self.remarks.append(f"{hypervisor}: its guests get no pointer authentication on this "
                                "CPU, so its switch rows carry FP state only")
        extra = self.extra[hypervisor]
        if run.name.startswith("boot_"):
            extra[run.name] = report.boot_instructions(parsed)
            if self.is_boot_split:
                extra["boot_bulk"] = report.instructions_of(parsed, self.symbols(), BULK)
        memory = re.search(MEMORY_LINE, result.console)
        if memory:
            extra["domain_kib"], extra["vcpu_kib"] = int(memory[2]), int(memory[3])

    def elf(self):
        return self.options.elf or self.options.loam.with_suffix(".elf")

    def symbols(self):
        return (report.read_symbols(self.elf(), self.arch.tool("nm")) if self.elf().exists()
                else [])

    def print_profile(self, hypervisor, parsed):
        symbols = self.symbols() if hypervisor == "loam" else []
        row = next((r for r in self.rows if r.name in self.options.only), None)
        samples = len(parsed.samples.get(row.id, [])) if row else 0
        print(f"\nprofile of {hypervisor}, {row.title if row else 'the whole run'}")
        print(report.profile_text(parsed, symbols, samples))
        if parsed.path and (row is None or row.run != toolstack.RUN):
            print()
            print(report.path_text(parsed, symbols))

    def run_all(self):
        for hypervisor in self.images:
            runs = (runs_arm64(hypervisor, self.options.iterations)
                    if self.arch is arch.ARM64 else runs_riscv64(self.options.iterations))
            for name in self.wanted_runs(hypervisor):
                self.execute(hypervisor, runs[name])
        if self.has_linux:
            self.run_linux()

    def run_linux(self):
        named = [case for case in linux.CASES_NAMED if case.name in self.options.only]
        for case in [case for case in linux.CASES if self.wanted(case.name)] + named:
            if "loam" in self.images:
                self.run_case("loam", case, linux.execute, self.images["loam"], self.elf(),
                              ROOT / "out")
            for other in self.peers:
                if case.name in other.rows:
                    self.run_case(other.name, case, linux.execute_peer, other)

    def run_case(self, name, case, execute, *arguments):
        self.note(f"{name}: {case.name}")
        work = self.out / "runs" / (case.name if name == "loam" else f"{name}-{case.name}")
        try:
            result = execute(self.machine, case, *arguments, work)
            self.linux.setdefault(case.name, []).append(result)
        except (machine.RunError, build.BuildError) as error:
            self.problem(f"{name}, {case.name}: {error}")

    # ---- tables ----

    def operation_lines(self):
        lines, missed = [], []
        for row in self.rows:
            if not self.wanted(row.name):
                continue
            loam, xen = (self.measured[h].get(row.name) for h in ("loam", "xen"))
            met, verdict = report.judge(row, loam)
            if row.goal is not None and not met and "loam" in self.images:
                missed.append(row.name)
            lines.append([
                row.title, f"{row.floor:,}" if row.floor is not None else "-",
                report.count_text(loam.insn, loam.sysreg) if loam else "-",
                report.count_text(loam.insn_max, loam.sysreg_max) if loam else "-",
                report.count_text(xen.insn, xen.sysreg) if xen else "-",
                report.count_text(row.goal, row.regs) if row.goal is not None else "",
                verdict,
            ])
        return lines, missed

    def extra_line(self, name, title, value, xen, goal, missed, unit=""):
        met = value is not None and value <= goal
        if not met and "loam" in self.images:
            missed.append(name)
        text = [f"{v:,}{unit}" if v is not None else "-" for v in (value, xen, goal)]
        return [title, *text, ("yes" if met else "no") if value is not None else "-"]

    def extra_lines(self):
        lines, missed = [], []
        loam, xen = self.extra["loam"], self.extra["xen"]
        if self.wanted("boot_2g"):
            lines.append(self.extra_line(
                "boot_2g", "hypervisor entry to first guest instruction, 2 GiB",
                loam.get("boot_2g"), xen.get("boot_2g"), BOOT_GOAL, missed))
        if self.wanted("boot_2g") and loam.get("boot_bulk") is not None:
            own = loam["boot_2g"] - loam["boot_bulk"]
            lines.append(["  of it clearing and copying the guest's RAM", f"{loam['boot_bulk']:,}",
                          "-", "", ""])
            lines.append(self.extra_line("boot_2g", "  the rest", own, None,
                                         linux.BOOT_OWN_GOAL, missed))
        if self.wanted("boot_8g") and "boot_8g" in EXTRA_ROWS[self.arch.name]:
            base = loam.get("boot_2g")
            goal = min(BOOT_GOAL, int(base * (1 + BOOT_GROWTH))) if base else BOOT_GOAL
            lines.append(self.extra_line("boot_8g", "the same with 8 GiB", loam.get("boot_8g"),
                                         xen.get("boot_8g"), goal, missed))
        for name, memory in (("boot_2g_dom0", "2 GiB"), ("boot_8g_dom0", "8 GiB")):
            if name in xen:
                lines.append([f"Xen with the guest as its dom0, {memory}", "", f"{xen[name]:,}",
                              "", ""])
        if self.wanted("image"):
            sizes = {h: image.stat().st_size for h, image in self.images.items()}
            lines.append(self.extra_line("image", "image", sizes.get("loam"), sizes.get("xen"),
                                         IMAGE_GOAL, missed, " B"))
        if self.wanted("memory"):
            lines.append(self.extra_line(
                "memory", "memory per domain, without its RAM's page tables",
                loam.get("domain_kib"), xen.get("domain_kib"), DOMAIN_GOAL_KIB, missed, " KiB"))
            lines.append(self.extra_line("memory", "memory per vCPU", loam.get("vcpu_kib"),
                                         xen.get("vcpu_kib"), VCPU_GOAL_KIB, missed, " KiB"))
        return lines, missed

    def table(self, header, rows):
        """Without a column for Xen if it cannot run here."""
        keep = [self.arch is arch.ARM64 or "Xen" not in name for name in header]
        cut = [[text for text, kept in zip(row, keep) if kept] for row in [header] + rows]
        return report.table(cut[0], cut[1:])

    def print_tables(self):
        operations, missed = self.operation_lines()
        if operations:
            print(f"\nInstructions (system-register accesses) at {self.arch.level_name} per "
                  f"operation; {self.arch.name}, CPU {self.options.cpu}, "
                  f"{self.options.iterations} samples a row\n")
            print(self.table(["operation", "floor", "Loam, median", "Loam, max",
                              "Xen 4.17, median", "goal", "met"], operations))
        extras, missed_extra = self.extra_lines()
        if extras:
            print()
            print(self.table(["boot and size", "Loam", "Xen 4.17", "goal", "met"], extras))
        self.print_firmware()
        for name, results in self.linux.items():
            print()
            print(linux.text(results, self.arch, ROOT / "out"))
            missed_extra += [name for r in results if r.name == "Loam" and linux.misses(r)]
        return list(dict.fromkeys(missed + missed_extra))

    def print_firmware(self):
        """Rows in which the firmware works too: its instructions are not in the table."""
        called = [[row.title, f"{self.measured['loam'][row.name].firmware:,}"]
                  for row in self.rows if row.name in self.measured["loam"]
                  and self.measured["loam"][row.name].firmware != 0]
        if called:
            print()
            print(report.table(["operations that call the firmware", "its instructions"], called))

    def write_json(self, missed):
        data = {
            "arch": self.arch.name, "cpu": self.options.cpu, "iterations": self.options.iterations,
            "operations": {
                row.name: {
                    "title": row.title, "floor": row.floor, "goal": row.goal, "regs": row.regs,
                    **{h: self.measured[h][row.name].as_dict() for h in self.measured
                       if self.measured[h].get(row.name)},
                } for row in self.rows if self.wanted(row.name)
            },
            "boot_and_size": self.extra,
            "linux": [dataclasses.asdict(result) for results in self.linux.values()
                      for result in results],
            "image_bytes": {h: image.stat().st_size for h, image in self.images.items()},
            "missed": missed, "remarks": self.remarks, "problems": self.problems,
        }
        self.options.json.write_text(json.dumps(data, indent=1) + "\n")


def chosen_arch():
    """--arch first: it says which rows there are."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--arch", choices=list(arch.ARCHES), default="arm64")
    return arch.ARCHES[parser.parse_known_args()[0].arch]


def parse_arguments(chosen, rows):
    names = [row.name for row in rows] + list(EXTRA_ROWS[chosen.name])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rows: " + " ".join(names))
    parser.add_argument("--arch", choices=list(arch.ARCHES), default="arm64",
                        help="of the machine [%(default)s]")
    parser.add_argument("--only", metavar="ROW", action="append", default=[], choices=names,
                        help="measure this row only (may be repeated)")
    parser.add_argument("--loam", metavar="IMAGE", type=pathlib.Path,
                        default=ROOT / f"out/{chosen.name}/loam", help="Loam's image [%(default)s]")
    parser.add_argument("--xen", metavar="IMAGE", type=pathlib.Path,
                        help="another Xen image instead of Debian's 4.17")
    parser.add_argument("--no-loam", action="store_true", help="do not run Loam")
    parser.add_argument("--no-xen", action="store_true", help="do not fetch or run Xen")
    parser.add_argument("--peer", metavar="FILE", type=pathlib.Path, action="append", default=[],
                        help="riscv64: another hypervisor beside Loam in the boots of Debian; "
                             "README.md says what FILE is (may be repeated)")
    parser.add_argument("--cpu", default=chosen.cpu, help="QEMU's CPU model [%(default)s]")
    parser.add_argument("--iterations", metavar="N", type=int, default=64,
                        help="samples per row [%(default)s]")
    parser.add_argument("--timeout", metavar="SECONDS", type=int, default=120,
                        help="limit of one emulator run [%(default)s]")
    out = "bench" if chosen is arch.ARM64 else f"bench-{chosen.name}"
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path, default=ROOT / "out" / out,
                        help="where builds and logs go [%(default)s]")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="also write JSON there")
    parser.add_argument("--check", action="store_true",
                        help="exit with 1 when a goal is missed or a row is not measured")
    parser.add_argument("--profile", action="store_true",
                        help="also print where the instructions went; with one --only, in that row, "
                             "and one sample's path")
    parser.add_argument("--elf", metavar="FILE", type=pathlib.Path,
                        help="Loam's ELF file for --profile [IMAGE.elf]")
    options = parser.parse_args()
    options.arch = chosen
    options.no_xen |= chosen is not arch.ARM64  # Xen 4.17 runs no guests on others
    return options


def main():
    chosen = chosen_arch()
    rows = report.read_rows(HERE / f"rows-{chosen.name}.tbl")
    options = parse_arguments(chosen, rows)
    bench = Bench(options, rows)
    try:
        bench.prepare()
        bench.self_test()
    except build.BuildError as error:
        sys.exit(f"bench: {error}")
    if not bench.images and not bench.peers:
        sys.exit("bench: nothing to measure")
    bench.run_all()
    missed = bench.print_tables()
    if options.json:
        bench.write_json(missed)
    if bench.remarks:
        print()
    for remark in bench.remarks:
        print(f"note: {remark}")
    for problem in bench.problems:
        print(f"problem: {problem}")
    if missed:
        print("goals missed: " + " ".join(missed))
    if options.check and (missed or bench.problems or "loam" not in bench.images):
        sys.exit(1)
    if options.check:
        print("all goals met")


if __name__ == "__main__":
    main()
