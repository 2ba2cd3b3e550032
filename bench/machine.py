# SPDX-License-Identifier: MIT
"""Boots one hypervisor with bench guests as its boot-time domains, under QEMU with the plugin.

Xen 4.17 and Loam get the same device tree: QEMU's own plus dom0less domain nodes. One run is one
emulator; it ends when every guest has printed its verdict and the machine has powered off, or was
given a moment to.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import time

from build import run

QEMU = os.environ.get("LOAM_QEMU") or "qemu-system-aarch64"
BOARD = "virt,virtualization=on,gic-version=3,dtb-randomness=off"
MODULE_BASE, MODULE_STRIDE = 0x4A000000, 0x01000000
BASE_COMMAND_LINE = "console=dtuart dtuart=/pl011@9000000 bootscrub=0"
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


@dataclasses.dataclass
class Result:
    """What a run left behind."""
    report: pathlib.Path
    console: str
    failures: list


class RunError(Exception):
    """A run gave no result; the text says why and where its console is."""


def base_tree(run_, cpu, work):
    """QEMU's own device tree for this machine, as source."""
    dtb = work / "base.dtb"
    run([QEMU, "-M", f"{BOARD},dumpdtb={dtb}", "-cpu", cpu, "-m", run_.memory_mib, "-smp",
         run_.cpus, "-nodefaults", "-display", "none"])
    return run(["dtc", "-q", "-I", "dtb", "-O", "dts", dtb])


def domain_node(index, domain, size):
    address = MODULE_BASE + index * MODULE_STRIDE
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


def dom0_module(domain, size):
    """The guest as dom0: a kernel module directly below /chosen."""
    return f"""
    xen,dom0-bootargs = "{domain.bootargs}";
    module@{MODULE_BASE:x} {{
        compatible = "multiboot,kernel", "multiboot,module";
        reg = <0 {MODULE_BASE:#x} 0 {size:#x}>;
    }};"""


def pool_node(index, domain):
    """A cpupool of one CPU with the null scheduler."""
    return f"""
    bench_pool{index}: cpupool{index} {{
        compatible = "xen,cpupool";
        cpupool-cpus = <&{{/cpus/cpu@{domain.null_pool_cpu:x}}}>;
        cpupool-sched = "null";
    }};"""


def device_tree(run_, cpu, guest, work):
    """QEMU's tree with the bench domains added to /chosen, as a blob."""
    size = guest.stat().st_size
    nodes = []
    for index, domain in enumerate(run_.domains):
        if domain.null_pool_cpu is not None:
            nodes.append(pool_node(index, domain))
        nodes.append(dom0_module(domain, size) if domain.is_dom0
                     else domain_node(index, domain, size))
    source, blob = work / "bench.dts", work / "bench.dtb"
    source.write_text(f"""{base_tree(run_, cpu, work)}
/ {{ chosen {{
    #address-cells = <2>;
    #size-cells = <2>;
    xen,xen-bootargs = "{BASE_COMMAND_LINE} {run_.command_line}";
    {"".join(nodes)}
}}; }};
""")
    run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", blob, source])
    return blob


def emulator(cpu, memory_mib, cpus, plugin, report):
    """The options that make counts repeatable, common to all runs."""
    return [
        QEMU, "-M", BOARD, "-cpu", cpu, "-m", str(memory_mib), "-smp", str(cpus),
        "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
        "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1",
        "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
        "-plugin", f"file={pathlib.Path(plugin).resolve()},out={report}",
    ]


def qemu_command(run_, cpu, image, guest, plugin, work, profile):
    report = work / "report.txt"
    command = [
        *emulator(cpu, run_.memory_mib, run_.cpus, plugin,
                  f"{report},{profile}" if profile else report),
        "-serial", f"file:{work / 'console.log'}",
        "-kernel", str(image), "-dtb", str(device_tree(run_, cpu, guest, work)),
    ]
    for index in range(len(run_.domains)):
        address = MODULE_BASE + index * MODULE_STRIDE
        command += ["-device", f"loader,file={guest},addr={address:#x},force-raw=on"]
    return command, report


def read_console(work):
    log = work / "console.log"
    return log.read_text(errors="replace") if log.exists() else ""


def wait_for_end(process, run_, work, timeout):
    """Waits until all guests are done or the emulator ended; True when in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if process.poll() is not None:
            return True
        if len(DONE.findall(read_console(work))) >= len(run_.domains):
            try:
                process.wait(POWER_OFF_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            return True
        time.sleep(0.1)
    return False


def execute(run_, cpu, image, guest, plugin, work, timeout, profile=""):
    """Runs one boot and returns its Result; RunError when there is none."""
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    command, report = qemu_command(run_, cpu, image, guest, plugin, work, profile)
    with open(work / "qemu.log", "w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            in_time = wait_for_end(process, run_, work, timeout)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    console = read_console(work)
    verdicts = DONE.findall(console)
    failures = [line.strip() for line in FAIL.findall(console)]
    where = f"(console: {work / 'console.log'}, emulator: {work / 'qemu.log'})"
    if not report.exists() or not report.read_text().endswith("end\n"):
        raise RunError(f"the plugin wrote no complete report {where}")
    if len(verdicts) < len(run_.domains):
        why = "ended early" if in_time else f"did not finish in {timeout} s"
        failures.append(f"{len(verdicts)} of {len(run_.domains)} guests finished, the run {why} "
                        f"{where}")
    return Result(report, console, failures)


def self_test(program, plugin, work, timeout):
    """Runs plugin/selftest.S, on a CPU that has all its instructions; returns the report's path."""
    work.mkdir(parents=True, exist_ok=True)
    report = work / "report.txt"
    run([*emulator("max", 512, 1, plugin, report), "-kernel", program], timeout=timeout)
    return report
