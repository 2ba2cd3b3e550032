# SPDX-License-Identifier: MIT
"""Boots one hypervisor with bench guests as its boot-time domains, under QEMU with the plugin.

Xen 4.17 and Loam get the same device tree: QEMU's own plus dom0less domain nodes. One run is one
emulator; it ends when every guest has printed its verdict and the machine has powered off, or was
given a moment to.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import time

from build import run

MODULE_STRIDE = 0x01000000
DETERMINISTIC = (
    "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
    "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1",
)
POWER_OFF_SECONDS = 1.0
DONE = re.compile(r"bench: done run=(\S+) n=(\d+) failures=(\d+)")
FAIL = re.compile(r"bench: FAIL .*")


@dataclasses.dataclass
class Domain:
    """One bench guest: its boot arguments and its domain node's variable parts."""
    bootargs: str
    vcpus: int = 1
    null_pool_cpu: int | None = None  # run in a null-scheduler pool made of this CPU
    pinned: bool = False              # vCPU n on CPU n
    is_dom0: bool = False             # Xen only


@dataclasses.dataclass
class Run:
    """One boot: the machine and the domains on it."""
    name: str
    domains: list
    cpus: int = 1
    memory_mib: int = 2048
    command_line: str = ""
    board: str = ""                   # more of QEMU's -M


@dataclasses.dataclass
class Result:
    """What a run left behind."""
    report: pathlib.Path
    console: str
    failures: list


class RunError(Exception):
    """A run gave no result; the text says why and where its console is."""


@dataclasses.dataclass
class Machine:
    """What all runs of one invocation have in common."""
    arch: object
    cpu: str
    guest: pathlib.Path
    plugin: pathlib.Path
    timeout: int

    def module_address(self, index):
        return self.arch.module_base + index * MODULE_STRIDE

    def board(self, run_):
        return self.arch.board + run_.board


def base_tree(machine, run_, work):
    """QEMU's own device tree for this machine, as source."""
    dtb = work / "base.dtb"
    run([machine.arch.emulator(), "-M", f"{machine.board(run_)},dumpdtb={dtb}",
         "-cpu", machine.cpu, "-m", run_.memory_mib, "-smp", run_.cpus, *machine.arch.firmware,
         "-nodefaults", "-display", "none"])
    return run(["dtc", "-q", "-I", "dtb", "-O", "dts", dtb])


def domain_node(address, index, domain, size):
    pool = f"domain-cpupool = <&bench_pool{index}>;" if domain.null_pool_cpu is not None else ""
    pins = "".join(
        f'vcpu@{v} {{ compatible = "xen,vcpu"; id = <{v}>; hard-affinity = "{v}"; }};\n'
        for v in range(domain.vcpus) if domain.pinned)
    return f"""
    domU{index + 1} {{
        compatible = "xen,domain";
        #address-cells = <2>;
        #size-cells = <2>;
        memory = <0 0x10000>;
        cpus = <{domain.vcpus}>;
        vpl011;
        xen,enhanced = "no-xenstore";
        {pool}
        module@{address:x} {{
            compatible = "multiboot,kernel", "multiboot,module";
            reg = <0 {address:#x} 0 {size:#x}>;
            bootargs = "{domain.bootargs}";
        }};
        {pins}
    }};"""


def dom0_module(address, domain, size):
    """The guest as dom0: a kernel module directly below /chosen."""
    return f"""
    xen,dom0-bootargs = "{domain.bootargs}";
    module@{address:x} {{
        compatible = "multiboot,kernel", "multiboot,module";
        reg = <0 {address:#x} 0 {size:#x}>;
    }};"""


def pool_node(index, domain):
    """A cpupool of one CPU with the null scheduler."""
    return f"""
    bench_pool{index}: cpupool{index} {{
        compatible = "xen,cpupool";
        cpupool-cpus = <&{{/cpus/cpu@{domain.null_pool_cpu:x}}}>;
        cpupool-sched = "null";
    }};"""


def device_tree(machine, run_, work):
    """QEMU's tree with the bench domains added to /chosen, as a blob."""
    size = machine.guest.stat().st_size
    nodes = []
    for index, domain in enumerate(run_.domains):
        if domain.null_pool_cpu is not None:
            nodes.append(pool_node(index, domain))
        address = machine.module_address(index)
        nodes.append(dom0_module(address, domain, size) if domain.is_dom0
                     else domain_node(address, index, domain, size))
    source, blob = work / "bench.dts", work / "bench.dtb"
    source.write_text(f"""{base_tree(machine, run_, work)}
/ {{ chosen {{
    #address-cells = <2>;
    #size-cells = <2>;
    xen,xen-bootargs = "{machine.arch.command_line} {run_.command_line}";
    {"".join(nodes)}
}}; }};
""")
    run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", blob, source])
    return blob


def emulator(machine, run_, report):
    """The options that make counts repeatable, common to all runs."""
    return [
        machine.arch.emulator(), "-M", machine.board(run_), "-cpu", machine.cpu,
        "-m", str(run_.memory_mib), "-smp", str(run_.cpus),
        *DETERMINISTIC,
        "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
        "-plugin", f"file={machine.plugin.resolve()},out={report}",
    ]


def qemu_command(machine, run_, image, work, profile):
    report = work / "report.txt"
    command = [
        *emulator(machine, run_, f"{report},{profile}" if profile else report),
        *machine.arch.firmware, "-serial", f"file:{work / 'console.log'}",
        "-kernel", str(image), "-dtb", str(device_tree(machine, run_, work)),
    ]
    for index in range(len(run_.domains)):
        address = machine.module_address(index)
        command += ["-device",
                    f"loader,file={machine.guest},addr={address:#x},force-raw=on"]
    return command, report


def read_console(work):
    log = work / "console.log"
    return log.read_text(errors="replace") if log.exists() else ""


def all_done(run_, work):
    return len(DONE.findall(read_console(work))) >= len(run_.domains)


def wait_for_end(process, is_done, timeout):
    """Waits until is_done(), and a moment more, or the emulator ended; True when in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if process.poll() is not None:
            return True
        if is_done():
            try:
                process.wait(POWER_OFF_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            return True
        time.sleep(0.1)
    return False


def run_emulator(command, work, is_done, timeout, directory=None):
    """One emulator, in a directory, until is_done(); True when that was in time."""
    with open(work / "qemu.log", "w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   cwd=directory)
        try:
            return wait_for_end(process, is_done, timeout)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def execute(machine, run_, image, work, profile=""):
    """Runs one boot and returns its Result; RunError when there is none."""
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    command, report = qemu_command(machine, run_, image, work, profile)
    in_time = run_emulator(command, work, lambda: all_done(run_, work), machine.timeout)
    console = read_console(work)
    verdicts = DONE.findall(console)
    failures = [line.strip() for line in FAIL.findall(console)]
    where = f"(console: {work / 'console.log'}, emulator: {work / 'qemu.log'})"
    if not report.exists() or not report.read_text().endswith("end\n"):
        raise RunError(f"the plugin wrote no complete report {where}")
    if len(verdicts) < len(run_.domains):
        why = "ended early" if in_time else f"did not finish in {machine.timeout} s"
        failures.append(f"{len(verdicts)} of {len(run_.domains)} guests finished, the run {why} "
                        f"{where}")
    return Result(report, console, failures)


def self_test(machine, program, work):
    """Runs the counter's self test, on a CPU that has all its instructions; the report's path."""
    work.mkdir(parents=True, exist_ok=True)
    report = work / "report.txt"
    small = dataclasses.replace(machine, cpu=machine.arch.self_test_cpu)
    run([*emulator(small, Run("selftest", [], memory_mib=512), report),
         *machine.arch.self_test_option, program], timeout=machine.timeout)
    return report
