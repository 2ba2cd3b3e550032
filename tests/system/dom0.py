# SPDX-License-Identifier: MIT
"""A machine with a Debian dom0, and what root types there.

Dom0Machine boots a Board whose dom0 is the image of tools/mkdom0, and waits for its shell.
dom0.command() runs a line in it, dom0.guest() one in a Debian guest over its PV console. What
Xen's tools print is taken apart by the functions at the end: the only place that knows how.

LOAM_IMAGE may name another hypervisor that has the same ABI, to look at a test beside it.
"""

import os
import re
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from loam import HOST, OUT, Board, Failure, Machine

PROMPT = "dom0# "
READY = r"^dom0: ready"
# Of a guest: busybox asks the terminal where the cursor is.
SHELL_PROMPT = r"# (\x1b\[6n)?$"
LEAVE_CONSOLE = "\x1d"
# Lines that a hypervisor puts between a program's; none of them is an answer.
NOISE = re.compile(r"^(loam: |\(XEN\) )")
XL = {"4.17": "xl", "4.20": "xl-4.20"}
both_releases = ("4.17", "4.20")


class Dom0Machine(Machine):
    """A running machine, at the shell of its dom0."""

    def __init__(self, board: Board, workdir: str, files: Optional[Dict[str, str]] = None):
        super().__init__(board, workdir)
        self.files = files or {}
        self.name = HOST  # under which dom0's lines come
        self.number = 0

    def __enter__(self):
        if self.files:
            self.board.dom0.ramdisk = self.ramdisk_with_files()
        return super().__enter__()

    def ramdisk_with_files(self) -> str:
        """dom0's ramdisk and, behind it, an archive of the test's own files."""
        path = os.path.join(self.workdir, "initrd.cpio")
        with open(path, "wb") as out:
            with open(os.path.join(OUT, "dom0", "initrd.cpio"), "rb") as image:
                out.write(image.read())
            out.write(archive(self.files))
        return path

    def wait_ready(self, timeout: float = 120) -> None:
        """Until dom0 has a shell. Its lines may come with a name before them."""
        end = time.monotonic() + timeout
        while not self.name_of(READY):
            if self.ended or time.monotonic() > end:
                raise Failure(f"dom0 is not ready\n{self.tail()}")
            self.pump()
        self.name = self.name_of(READY)[0]
        while PROMPT not in self.partial:
            if self.ended or time.monotonic() > end:
                raise Failure(f"dom0 has no prompt\n{self.tail()}")
            self.pump()
        # From here on the console shows what commands print and nothing else of the shell.
        super().command(self.name, "PS1=; stty -echo")

    def name_of(self, pattern: str) -> List[str]:
        """Whose lines match."""
        return [x.domain for x in self.lines if re.search(pattern, x.text)]

    def focus(self, name: str) -> None:
        """dom0's lines have no name, but the input knows it."""
        if name != self.name:
            super().focus(name)
        elif self.owner is not None:
            super().focus("dom0")

    # --- dom0's shell -----------------------------------------------------------------
    def status(self, line: str, timeout: float = 60) -> Tuple[int, List[str]]:
        """Run a line in dom0: its exit status, and what it printed."""
        answer = super().command(self.name, f"{line}\necho status=$?".replace("\n", "; "), timeout)
        answer = without_noise(answer)
        found = re.search(r"^(.*)status=(\d+)$", answer[-1]) if answer else None
        if not found:
            raise Failure(f"no status of: {line}\n{self.tail()}")
        # Output without a newline at its end stands before the status.
        return int(found.group(2)), answer[:-1] + ([found.group(1)] if found.group(1) else [])

    def run(self, line: str, timeout: float = 60) -> List[str]:
        """Run a line that has to succeed."""
        status, answer = self.status(line, timeout)
        if status != 0:
            raise Failure(f"{line}: status {status}: {answer}\n{self.tail()}")
        return answer

    def wait_for(self, line: str, pattern: str, timeout: float = 60) -> "re.Match":
        """Run a line again and again, until what it prints matches."""
        end = time.monotonic() + timeout
        while True:
            text = "\n".join(self.status(line)[1])
            match = re.search(pattern, text, re.MULTILINE)
            if match:
                return match
            if time.monotonic() > end:
                raise Failure(f"{timeout} s without /{pattern}/ from {line}: {text}\n{self.tail()}")
            self.collect(0.5)

    def console_session(self, command: str, typed: str, timeout: float = 60) -> str:
        """A program that hands this console to a guest, which gets a line: what came back."""
        start = len(self.lines)
        self.number += 1
        end = f"done-{self.number + 1000}"
        self.send(f"{command}\r")
        self.wait_prompt(timeout)
        self.send(f"{typed}; echo done-$(({self.number}+1000))\r")
        self.expect(self.name, rf"{end}\b", timeout)
        self.child.send(LEAVE_CONSOLE)
        self.collect(1)
        self.run("true")
        return "".join(x.text + "\n" for x in self.lines[start:] if x.domain == self.name)

    def wait_prompt(self, timeout: float) -> None:
        """Press Enter until a guest's shell shows its prompt: what is typed too early is lost."""
        end = time.monotonic() + timeout
        while not re.search(SHELL_PROMPT, self.partial):
            if self.ended or time.monotonic() > end:
                raise Failure(f"{timeout} s without a guest's prompt\n{self.tail()}")
            self.send("\r")
            self.collect(1)

    # --- guests -----------------------------------------------------------------------
    def create(self, name: str, *words: str, xl: str = "xl", config: str = "/guests/debian.cfg"):
        """xl create of a guest with that name; words are lines of its configuration."""
        lines = " ".join(f"'{word}'" for word in (f'name="{name}"',) + words)
        self.run(f"{xl} create {config} {lines}", 120)

    def micro(self, name: str, image: str, *words: str, paused: bool = False):
        """xl create of a guest that is one of the test's files in /guests."""
        lines = (f'name="{name}"', f'kernel="/guests/{image}"') + words
        command = "xl create -p /dev/null " if paused else "xl create /dev/null "
        self.run(command + " ".join(f"'{line}'" for line in lines), 60)

    def domains(self, xl: str = "xl") -> Dict[str, "DomainRow"]:
        """xl list."""
        # What the tools have no name for is "(null)": no line of a guest called so.
        return {row.name: row for row in list_rows(self.run(f"{xl} list | tr '()' '<>'"))}

    def vcpus(self, xl: str = "xl") -> Dict[str, List["VcpuRow"]]:
        """xl vcpu-list, by domain: those that are online."""
        found = {}
        for row in vcpu_rows(self.run(f"{xl} vcpu-list")):
            found.setdefault(row.name, []).append(row)
        return found

    def xentop(self) -> Dict[str, Dict[str, str]]:
        """xentop, by domain: its columns."""
        lines = self.run("xentop -b -i 1")
        head = lines[0].split()
        # "no limit" is one column.
        words = [line.replace("no limit", "no-limit").split() for line in lines[1:]]
        return {row[0]: dict(zip(head, row)) for row in words}

    def wait_gone(self, name: str, timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        while name in self.domains():
            if time.monotonic() > end:
                raise Failure(f"{name} is still there after {timeout} s\n{self.tail()}")
            self.collect(0.5)

    def console_of(self, name: str) -> str:
        """The terminal behind a guest's PV console."""
        number = self.domains()[name].number
        path = f"/local/domain/{number}/console/tty"
        return self.wait_for(f"xenstore-read {path}", r"^/dev/\S+").group(0)

    def watch(self, name: str) -> None:
        """Keep what a guest prints, from now on and what xenconsoled still holds of it."""
        self.run(f"(cat {self.console_of(name)} >/tmp/{name}.log 2>/dev/null &)")

    def guest_ready(self, *names: str, timeout: float = 120) -> None:
        """Wait until the Debian guests, which are watched, have reached their shell."""
        for name in names:
            self.wait_for(f"tail -n 2 /tmp/{name}.log", SHELL_PROMPT, timeout)

    def guest(self, name: str, line: str, timeout: float = 60) -> List[str]:
        """Run a line in a watched guest's shell: what it printed."""
        self.number += 1
        log, end = f"/tmp/{name}.log", f"done-{self.number + 1000}"
        begin = int(self.run(f"wc -l <{log}")[0]) + 1
        typed = f"{line}; echo done-$(({self.number}+1000))"
        quoted = typed.replace("'", "'\\''")
        self.run(f"echo '{quoted}' >{self.console_of(name)}")
        answer = f"tail -n +{begin} {log} | tr -d '\\r'"
        self.wait_for(f"{answer} | tail -n 3", rf"{end}$", timeout)
        lines = self.run(answer)
        echo = [i for i, text in enumerate(lines) if typed in text]
        last = [i for i, text in enumerate(lines) if text.endswith(end)]
        return lines[echo[0] + 1 if echo else 0 : last[-1]]

    def free_pages(self) -> int:
        """What the hypervisor has; xl info tells MiB only."""
        return int(self.run("free-pages")[0])

    def holdings(self) -> Dict[str, int]:
        """What domains hold of the hypervisor's, by its debug keys: see holdings_of()."""
        self.run("xl dmesg -c >/dev/null; xl debug-keys egmqv")
        # Without what makes them the hypervisor's lines: see NOISE.
        return holdings_of(self.run("xl dmesg | sed 's/^loam: //'"))


def without_noise(lines: List[str]) -> List[str]:
    """A program's lines without a hypervisor's, nor the halves of those that it broke."""
    kept = []
    broken = False
    for line in lines:
        if NOISE.search(line):
            broken = True
            continue
        if broken and kept and line.startswith(kept[-1]):
            kept.pop()
        broken = False
        kept.append(line)
    return kept


def archive(files: Dict[str, str]) -> bytes:
    """A cpio archive ("newc", Linux' buffer-format.rst): name in the archive -> the host's file."""
    out = bytearray()
    for number, (name, path) in enumerate([*sorted(files.items()), ("TRAILER!!!", "")]):
        content = b""
        if path:
            with open(path, "rb") as file:
                content = file.read()
        mode = 0o100755 if path else 0
        fields = (number + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields)
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


# --- what Xen's tools print -------------------------------------------------------
@dataclass
class DomainRow:
    """A line of xl list."""

    name: str
    number: int
    memory: int  # MiB
    vcpus: int
    state: str  # "r-----": running, blocked, paused, shutdown, crashed, dying
    seconds: float


def list_rows(lines: List[str]) -> List[DomainRow]:
    rows = []
    for line in lines:
        match = re.match(r"(?:(\S+)\s+)?(\d+)\s+(\d+)\s+(\d+)\s+([a-z-]{6,7})\s+([\d.]+)$", line)
        if match:
            name, number, memory, vcpus, state, seconds = match.groups()
            rows.append(
                DomainRow(name or "", int(number), int(memory), int(vcpus), state, float(seconds))
            )
    return rows


@dataclass
class VcpuRow:
    """A line of xl vcpu-list of a vCPU that is online."""

    name: str
    number: int  # of the domain
    vcpu: int
    cpu: str  # "-": on none
    state: str
    seconds: float
    hard: str
    soft: str


def vcpu_rows(lines: List[str]) -> List[VcpuRow]:
    pattern = r"(\S+)\s+(\d+)\s+(\d+)\s+(\d+|-)\s+([rbp-]{3})\s+([\d.]+)\s+(.+) / (.+?)\s*$"
    found = [match.groups() for match in (re.match(pattern, line) for line in lines) if match]
    return [
        VcpuRow(name, int(number), int(vcpu), cpu, state, float(seconds), hard, soft)
        for name, number, vcpu, cpu, state, seconds, hard, soft in found
        if state != "--p"
    ]


# What the hypervisor's debug keys e, g, m, q and v print, and what each number in a line is.
HELD = {
    r"(d\d+): (\d+) event channels": ("event channels",),
    r"dom (\S+): grants version .* (\d+) in use, maps (\d+) of others": ("grants", "maps"),
    r"(frames): (\d+) of \d+ free": ("free",),
    r"(objects): (\d+) bytes in (\d+) frames": ("bytes", "frames"),
    r"d\d+ (\S+): .* (\d+) pages and (\d+) of tables,": ("pages", "tables"),
    r"(d\d+): VMID (\d+)": ("VMID",),
}


def holdings_of(lines: List[str]) -> Dict[str, int]:
    """By what it is: "d0 event channels", "dom0 maps", "objects bytes", "d0 VMID" ..."""
    held = {}
    for line in lines:
        for pattern, names in HELD.items():
            match = re.match(pattern, line)
            for number, name in enumerate(names if match else ()):
                value = match.group(2 + number)
                # Which VMID one has changes with time, that it has one does not.
                held[f"{match.group(1)} {name}"] = 1 if name == "VMID" else int(value)
    return held


def xl_info(lines: List[str]) -> Dict[str, str]:
    return dict(re.match(r"(\w+) *: ?(.*)$", line).groups() for line in lines if " : " in line)
