# SPDX-License-Identifier: MIT
"""Run Loam under QEMU and talk to its domains.

A Machine boots a Board (tools/loamdt.py) and reads its one console. Loam
starts each line of a domain with "(name) "; everything else is the
hypervisor's own word and is kept under the name HOST. What Loam says about
domains is matched only through the patterns of this file.

All of a machine's input and output goes through pump(); nothing here runs in
a second thread. A hypervisor panic fails whatever waits at that moment.
"""

import fcntl
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import List, Optional

import pexpect
import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from loamdt import (  # noqa: E402, F401: tests take the board's words from here
    ARCHES,
    MIB,
    RAM_BASE,
    Board,
    BoardError,
    Dom0,
    Domain,
    Module,
    Pool,
    passthrough_pl031,
    passthrough_source,
    passthrough_virtio,
    passthrough_virtio_riscv64,
)

OUT = os.path.abspath(os.environ.get("LOAM_OUT", os.path.join(ROOT, "out")))
# The architecture of a test that names none (see the fixture arch of conftest.py).
ARCH = os.environ.get("LOAM_ARCH", "arm64")
IMAGE = os.environ.get("LOAM_IMAGE", os.path.join(OUT, ARCH, "loam"))
# A test of what both architectures do.
both = pytest.mark.parametrize("arch", ["arm64", "riscv64"])
HOST = ""
FRAGMENT = None  # nobody: the line came again as a whole

# --- what Loam says: the only place that knows the words -----------------------
DOMAIN_LINE = re.compile(r"^\(([^()\s]{1,64})\) ?(.*)$")
PANIC = re.compile(r"PANIC on CPU")
INPUT_TO = r"^loam: input to (\S+)"
STARTED = r"^loam: {name}: \d+ [KM]iB at"
CRASHED = r"^loam: dom {name}: crashed"
STAYS_DOWN = r"^loam: dom {name}: .*: stays down"
RESTARTING = r"^loam: dom {name}: .*: restarting \((\d+)\)"
POWER_OFF = r"^loam: .*powering off"
FREE = r"^loam: .*\b(\d+) KiB free"

NEXT_CONSOLE = "\x01\x01\x01"
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Failure(AssertionError):
    """The machine did not do what was waited for."""


@dataclass
class Line:
    """One console line: when it came (host seconds), whose it is, what it says."""

    time: float
    domain: str
    text: str


class Machine:
    """A running QEMU with Loam; a context manager that ends it."""

    def __init__(self, board: Board, workdir: str, log: Optional[str] = None):
        self.board = board
        self.workdir = workdir
        self.log_path = log or os.path.join(workdir, "console.log")
        self.lines: List[Line] = []
        self.seen = {}  # domain -> index in lines up to which expect() has read
        self.last = {}  # domain -> its last line
        self.owner = None  # who has the input
        self.owners = 0  # how often Loam told so
        self.partial = ""
        self.child = None
        self.ended = False
        self.commands = 0
        self.may_panic = False
        self.lock = None

    # --- life ---------------------------------------------------------------------
    def __enter__(self):
        command = self.board.compose(self.workdir)
        lock = os.environ.get("LOAM_QEMU_LOCK")
        if lock:  # one emulator at a time among several test runs
            self.lock = open(lock, "wb")
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.child = pexpect.spawn(command[0], command[1:], timeout=None, echo=False)
        self.child.delaybeforesend = None
        self.child.delayafterclose = self.child.delayafterterminate = 0.02
        self.log = open(self.log_path, "wb")
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.close(force=True)
            self.log.close()
        if self.lock:
            self.lock.close()

    def pump(self, timeout: float = 0.1) -> None:
        """Take in what the console has, waiting at most timeout for it."""
        if self.ended:
            return
        try:
            data = self.child.read_nonblocking(65536, timeout)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            self.ended = True
            data = b""
        self.log.write(data)
        self.log.flush()
        text = self.partial + data.decode("utf-8", "replace")
        *whole, self.partial = text.split("\n")
        if self.ended and self.partial:
            whole, self.partial = whole + [self.partial], ""
        for line in whole:
            self.add(line)

    def add(self, raw: str) -> None:
        text = COLOUR.sub("", raw).replace("\r", "")
        domain = self.board.domains[0].name if self.board.hypervisor == "" else HOST
        match = DOMAIN_LINE.match(text)
        if match and domain == HOST:
            domain, text = match.groups()
        self.drop_fragment(domain, text)
        self.last[domain] = Line(time.monotonic(), domain, text)
        self.lines.append(self.last[domain])
        told = re.match(INPUT_TO, text) if domain == HOST else None
        if told:
            self.owner = told.group(1)
            self.owners += 1
        if domain == HOST and PANIC.search(text) and not self.may_panic:
            self.may_panic = True
            self.collect(1.0)
            raise Failure(f"the hypervisor panicked\n{self.tail()}")

    def drop_fragment(self, domain: str, text: str) -> None:
        """What others broke of the line that now comes whole; only its owner's is."""
        before = self.last.get(domain)
        if domain == self.owner and before and before is not self.lines[-1]:
            if text.startswith(before.text):
                before.domain = FRAGMENT

    def collect(self, seconds: float) -> None:
        """Take in what comes during that time, without judging it."""
        end = time.monotonic() + seconds
        while not self.ended and time.monotonic() < end:
            self.pump(min(0.1, max(0.0, end - time.monotonic())))

    def tail(self, count: int = 40) -> str:
        shown = [f"({line.domain or 'host'}) {line.text}" for line in self.lines[-count:]]
        return "\n".join(shown + [self.partial, f"the whole console: {self.log_path}"])

    # --- waiting --------------------------------------------------------------------
    def expect(self, domain: str, pattern: str, timeout: float = 60) -> "re.Match":
        """The next line of a domain (or HOST) that matches; Failure if none comes."""
        wanted = re.compile(pattern)
        end = time.monotonic() + timeout
        at = self.seen.get(domain, 0)
        while True:
            while at < len(self.lines):
                line = self.lines[at]
                at += 1
                if line.domain == domain:
                    match = wanted.search(line.text)
                    if match:
                        self.seen[domain] = at
                        return match
            if self.ended or time.monotonic() > end:
                why = "QEMU has ended" if self.ended else f"{timeout} s have passed"
                whom = domain or "the hypervisor"
                raise Failure(f"{why} without /{pattern}/ from {whom}\n{self.tail()}")
            self.pump()

    def check_counting(self, name: str, gap: float, least: int = 10, timeout: float = 60) -> None:
        """
        A domain prints "count UPTIME N" or "tick N MS": waits for `least` of these lines; none is
        missing, none came later than `gap` seconds after the one before.
        """
        end = time.monotonic() + timeout
        while True:
            seen = []
            for line in self.of(name)[:-1]:  # of the last one the rest may still be to come
                match = re.match(r"(count) ([\d.]+) (\d+)$|(tick) (\d+) (\d+)$", line.text)
                if match and match.group(1):
                    seen.append((float(match.group(2)), int(match.group(3))))
                elif match:
                    seen.append((int(match.group(6)) / 1000, int(match.group(5))))
            if len(seen) >= least:
                break
            if self.ended or time.monotonic() > end:
                raise Failure(f"only {len(seen)} lines of {least} from {name}\n{self.tail()}")
            self.pump()
        for (t0, n0), (t1, n1) in zip(seen, seen[1:]):
            assert n1 == n0 + 1, f"line {n0} is followed by {n1}"
            assert t1 - t0 <= gap, f"{t1 - t0:.2f} s without a line, after {n0}"

    def expect_exit(self, timeout: float = 60) -> int:
        """Wait until the machine has powered off; QEMU's exit status."""
        end = time.monotonic() + timeout
        while not self.ended:
            if time.monotonic() > end:
                raise Failure(f"the machine is still on after {timeout} s\n{self.tail()}")
            self.pump()
        self.child.wait()
        return self.child.exitstatus

    def of(self, domain: str, pattern: str = "") -> List[Line]:
        """All lines so far of a domain that match."""
        wanted = re.compile(pattern)
        return [x for x in self.lines if x.domain == domain and wanted.search(x.text)]

    def said(self, pattern: str, name: str = "") -> List[Line]:
        """All lines of the hypervisor so far that match one of the patterns above."""
        return self.of(HOST, pattern.format(name=re.escape(name)))

    def expect_said(self, pattern: str, name: str = "", timeout: float = 60) -> "re.Match":
        return self.expect(HOST, pattern.format(name=re.escape(name)), timeout)

    def ready(self, *names: str, timeout: float = 90) -> None:
        """Wait until the Debian guests have reached their /init."""
        for name in names or [d.name for d in self.board.domains]:
            self.expect(name, rf"guest {name}: ready", timeout)

    def complaint(self, node: str, prop: str = "", timeout: float = 30) -> str:
        """The hypervisor's message that names a node and a property."""
        pattern = rf"^loam: warning: (?=.*{re.escape(node)}\b)(?=.*{prop}).*"
        return self.expect(HOST, pattern, timeout).group(0)

    # --- typing ---------------------------------------------------------------------
    def answers(self, *names: str) -> None:
        """Each of these Debian guests has two vCPUs and answers what is typed to it."""
        for name in names:
            assert self.command(name, "echo $((6*7))") == ["42"]
            assert self.command(name, "nproc") == ["2"]
            words = self.command(name, "cat /proc/cmdline")[-1]
            assert words.endswith(f"loam.name={name} loam.do=shell")

    def send(self, text: str) -> None:
        """Type at the pace of a fast person, so that no UART overruns."""
        for at in range(0, len(text), 8):
            self.child.send(text[at : at + 8])
            self.pump(0.02)

    def focus(self, name: str) -> None:
        """Move the input to a domain; Loam tells each time whose it is."""
        for _ in range(len(self.board.domains) + 2):
            if self.owner == name:
                return
            told = self.owners
            self.child.send(NEXT_CONSOLE)
            end = time.monotonic() + 30
            while self.owners == told and time.monotonic() < end:
                self.pump()
        raise Failure(f"Ctrl-A three times never reached {name}\n{self.tail()}")

    def tell(self, name: str, line: str) -> None:
        """Type a command that does not come back."""
        self.focus(name)
        self.send(line + "\r")

    def command(self, name: str, line: str, timeout: float = 60) -> List[str]:
        """Type a command at a domain's shell; the lines it printed."""
        if self.board.hypervisor != "":
            self.focus(name)
        self.commands += 1
        start = len(self.lines)
        # The echo of what is typed holds the sum, only the answer its value.
        self.send(f"{line}; echo end-$(({self.commands}+1000))\r")
        end = rf"end-{self.commands + 1000}\b"
        self.expect(name, end, timeout)
        texts = [x.text for x in self.lines[start:] if x.domain == name]
        echo = [i for i, text in enumerate(texts) if f"echo end-$(({self.commands}" in text]
        texts = texts[echo[-1] + 1 :] if echo else texts
        return [text for text in texts if not re.search(end, text)]


def guest(name: str, do: str = "shell", args: str = "", **properties) -> Domain:
    """A Debian guest; do and args are words of tools/guest/init."""
    bootargs = f"console={{console}} quiet panic=1 loam.name={name} loam.do={do} {args}".strip()
    properties.setdefault("memory", 192)
    return Domain(name, bootargs=bootargs, **properties)


def micro_image(name: str, arch: str = ARCH) -> str:
    """The file of a micro guest of tests/guests."""
    return os.path.join(OUT, arch, "guests", f"{name}.img")


def micro(name: str, image: str, args: str = "", **properties) -> Domain:
    """A micro guest; args are its command line."""
    properties.setdefault("memory", 32)
    properties.setdefault("cpus", 1)
    properties.setdefault("kernel", image)
    return Domain(name, ramdisk=None, bootargs=args, **properties)
