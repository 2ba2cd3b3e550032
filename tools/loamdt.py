# SPDX-License-Identifier: MIT
"""Compose what QEMU boots: the host device tree with boot-time domains.

A Board is one QEMU `virt` machine running Loam, a Domain is one node of Xen's
dom0less binding under /chosen (with Loam's own properties loam,weight and
loam,restart). Board.compose() asks QEMU for its device tree, adds the domain
nodes, places each module in RAM where nothing else lives, and returns the
QEMU command line. Tests change the text or the bytes on the way, to break it.

    board = Board(out="out", cpus=2)
    board.domains.append(Domain("dom1", memory=256))
    print(shlex.join(board.compose("out/run")))

Read next: tests/system/loam.py, which runs these machines.
"""

import os
import shlex
import struct
import subprocess
from dataclasses import dataclass, field
from typing import Callable, List, Optional, Sequence, Tuple

MIB = 1 << 20
RAM_BASE = 0x40000000
# QEMU puts the kernel at RAM_BASE + 2 MiB and its tree at RAM_BASE + 128 MiB.
MODULE_BASE = RAM_BASE + 160 * MIB
GIC_PHANDLE = 65000  # by the binding: the guest's interrupt controller
QEMU_VERSION = (10, 0)


class BoardError(Exception):
    """The machine that was asked for cannot be composed."""


def qemu_binary() -> str:
    """The emulator: LOAM_QEMU, or the one in the PATH."""
    return os.environ.get("LOAM_QEMU") or "qemu-system-aarch64"


def cells64(value: int) -> str:
    """A 64-bit number as two cells of device-tree source."""
    return f"{value >> 32:#x} {value & 0xffffffff:#x}"


@dataclass
class Module:
    """One file in RAM and the node that tells of it."""

    kind: str  # "kernel", "ramdisk" or "device-tree"
    path: str
    bootargs: Optional[str] = None
    address: Optional[int] = None  # None: where there is room
    size: Optional[int] = None  # what the node claims; None: the truth
    load: bool = True  # False: the node is there, the bytes are not

    def node(self) -> str:
        size = os.path.getsize(self.path) if self.size is None else self.size
        lines = [
            f'compatible = "multiboot,{self.kind}", "multiboot,module";',
            f"reg = <{cells64(self.address)} {cells64(size)}>;",
        ]
        if self.bootargs is not None:
            lines.append(f'bootargs = "{self.bootargs}";')
        return f"module@{self.address:x} {{ {' '.join(lines)} }};"


@dataclass
class Domain:
    """One domain; what is None or empty leaves its property out."""

    name: str
    kernel: Optional[str] = None  # None: the Debian kernel of out/guest
    ramdisk: Optional[str] = "initrd.cpio.gz"  # None: no ramdisk; a plain name is in out/guest
    bootargs: str = ""
    memory: Optional[int] = 256  # MiB
    cpus: Optional[int] = 2
    vpl011: bool = True
    nr_spis: Optional[int] = None
    weight: Optional[int] = None
    restart: Optional[str] = None  # "never", "on-crash", "always"
    enhanced: Optional[str] = None  # "enabled", "no-xenstore", "disabled"
    static_mem: Sequence[Tuple[int, int]] = ()  # (address, size) in bytes
    direct_map: bool = False
    sve: Optional[int] = None
    pool: Optional[str] = None
    affinity: dict = field(default_factory=dict)  # vCPU -> "0-1,3"
    passthrough: Optional[str] = None  # source of a partial device tree
    extra: str = ""  # device-tree source, as it is
    modules: Optional[List[Module]] = None  # None: from kernel, ramdisk, passthrough

    def properties(self) -> List[str]:
        lines = ['compatible = "xen,domain";', "#address-cells = <2>;", "#size-cells = <2>;"]
        if self.memory is not None:
            lines.append(f"memory = <{cells64(self.memory * 1024)}>;")
        numbers = (
            ("cpus", self.cpus),
            ("nr_spis", self.nr_spis),
            ("sve", self.sve),
            ("loam,weight", self.weight),
        )
        lines += [f"{name} = <{value:#x}>;" for name, value in numbers if value is not None]
        if self.vpl011:
            lines.append("vpl011;")
        if self.direct_map:
            lines.append("direct-map;")
        if self.restart:
            lines.append(f'loam,restart = "{self.restart}";')
        if self.enhanced:
            lines.append(f'xen,enhanced = "{self.enhanced}";')
        if self.static_mem:
            cells = " ".join(f"{cells64(a)} {cells64(s)}" for a, s in self.static_mem)
            lines.append(f"xen,static-mem = <{cells}>;")
        if self.pool:
            lines.append(f"domain-cpupool = <&{self.pool}>;")
        return lines

    def node(self) -> str:
        vcpus = [
            f'vcpu@{i} {{ compatible = "xen,vcpu"; id = <{i}>; hard-affinity = "{cpus}"; }};'
            for i, cpus in self.affinity.items()
        ]
        body = self.properties() + [self.extra] + [m.node() for m in self.modules] + vcpus
        return f"{self.name} {{\n" + "\n".join(line for line in body if line) + "\n};\n"


@dataclass
class Pool:
    """A boot-time CPU pool, named by Domain.pool."""

    label: str
    cpus: Sequence[int]
    scheduler: Optional[str] = None  # "credit2", "null"

    def node(self) -> str:
        refs = " ".join(f"&{{/cpus/cpu@{c:x}}}" for c in self.cpus)
        lines = ['compatible = "xen,cpupool";', f"cpupool-cpus = <{refs}>;"]
        if self.scheduler:
            lines.append(f'cpupool-sched = "{self.scheduler}";')
        return f"{self.label}: {self.label} {{ {' '.join(lines)} }};\n"


def passthrough_source(nodes: str) -> str:
    """The source of a partial tree with these nodes under /passthrough."""
    return f"""/dts-v1/;
/ {{
    #address-cells = <2>;
    #size-cells = <2>;
    gic: gic {{
        #interrupt-cells = <3>;
        interrupt-controller;
        phandle = <{GIC_PHANDLE}>;
    }};
    passthrough {{
        compatible = "simple-bus";
        ranges;
        #address-cells = <2>;
        #size-cells = <2>;
{nodes}
    }};
}};
"""


def passthrough_pl031() -> str:
    """QEMU's real-time clock: 0x09010000, SPI 2, fed by a fixed clock."""
    return passthrough_source(
        """
        clk: apb-pclk {
            compatible = "fixed-clock";
            #clock-cells = <0>;
            clock-frequency = <24000000>;
            clock-output-names = "clk24mhz";
        };
        pl031@9010000 {
            compatible = "arm,pl031", "arm,primecell";
            reg = <0x0 0x9010000 0x0 0x1000>;
            interrupt-parent = <&gic>;
            interrupts = <0 2 4>;
            clocks = <&clk>;
            clock-names = "apb_pclk";
            xen,reg = <0x0 0x9010000 0x0 0x1000 0x0 0x9010000>;
            xen,path = "/pl031@9010000";
            xen,force-assign-without-iommu;
        };"""
    )


def passthrough_virtio(slot: int) -> str:
    """QEMU's virtio-mmio slot: 0x0a000000 + 0x200 * slot, SPI 16 + slot, edge.

    Slots are smaller than a page: the whole page of eight goes to the guest.
    """
    address = 0x0A000000 + 0x200 * slot
    page = address & ~0xFFF
    return passthrough_source(
        f"""
        virtio_mmio@{address:x} {{
            compatible = "virtio,mmio";
            reg = <0x0 {address:#x} 0x0 0x200>;
            interrupt-parent = <&gic>;
            interrupts = <0 {16 + slot} 1>;
            dma-coherent;
            xen,reg = <0x0 {page:#x} 0x0 0x1000 0x0 {page:#x}>;
            xen,path = "/virtio_mmio@{address:x}";
            xen,force-assign-without-iommu;
        }};"""
    )


@dataclass
class Board:
    """One QEMU `virt` machine with Loam and its domains."""

    out: str = "out"
    cpus: int = 2
    memory: int = 2048  # MiB
    cpu: str = "max"
    hypervisor: Optional[str] = None  # None: out/arm64/loam; "" boots the first domain bare
    bootargs: str = ""
    domains: List[Domain] = field(default_factory=list)
    pools: List[Pool] = field(default_factory=list)
    chosen: str = ""  # device-tree source for /chosen, as it is
    edit_source: Callable[[str], str] = lambda text: text
    edit_tree: Optional[Callable[[bytes], bytes]] = None
    extra: Sequence[str] = ()  # further QEMU arguments
    interactive: bool = False  # a monitor behind Ctrl-], for a person

    def machine(self) -> str:
        virtualization = "off" if self.hypervisor == "" else "on"
        return f"virt,virtualization={virtualization},gic-version=3,memory-backend=ram"

    def hardware(self) -> List[str]:
        # Not reserved: 64 GiB of RAM cost the host what is touched of them.
        backend = f"memory-backend-ram,id=ram,size={self.memory}M,reserve=off"
        size = ["-m", str(self.memory), "-object", backend]
        return ["-cpu", self.cpu, "-smp", str(self.cpus)] + size

    def console(self) -> List[str]:
        if not self.interactive:
            return ["-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con"]
        # Ctrl-A belongs to Loam, Ctrl-C to the guest; Ctrl-] (29) to QEMU.
        return (
            ["-chardev", "stdio,id=con,mux=on,signal=off", "-serial", "chardev:con"]
            + ["-mon", "chardev=con,mode=readline", "-echr", "29"]
        )

    def base(self) -> List[str]:
        return (
            [qemu_binary(), "-M", self.machine()]
            + self.hardware()
            + ["-nodefaults", "-display", "none", "-no-reboot"]
            + self.console()
            + list(self.extra)
        )

    def guest_file(self, name: str) -> str:
        return name if os.sep in name else os.path.join(self.out, "guest", name)

    def fill_modules(self, workdir: str) -> None:
        """Turn kernel, ramdisk and passthrough of each domain into modules."""
        for domain in self.domains:
            if domain.modules is not None:
                continue
            kernel = domain.kernel or os.path.join(self.out, "guest", "vmlinuz")
            domain.modules = [Module("kernel", kernel, domain.bootargs)]
            if domain.ramdisk:
                domain.modules.append(Module("ramdisk", self.guest_file(domain.ramdisk)))
            if domain.passthrough:
                path = os.path.join(workdir, f"{domain.name}.passthrough.dtb")
                compile_tree(domain.passthrough, path)
                domain.modules.append(Module("device-tree", path))

    def place(self) -> None:
        """Give each module without an address one, clear of all others."""
        fixed = [(a, a + s) for d in self.domains for a, s in d.static_mem]
        fixed += [
            (m.address, m.address + os.path.getsize(m.path))
            for d in self.domains
            for m in d.modules
            if m.address is not None
        ]
        top = RAM_BASE + self.memory * MIB
        at = MODULE_BASE
        for module in (m for d in self.domains for m in d.modules if m.address is None):
            size = os.path.getsize(module.path)
            clash = [end for start, end in fixed if start < at + size and at < end]
            while clash:
                at = -(-max(clash) // (2 * MIB)) * 2 * MIB
                clash = [end for start, end in fixed if start < at + size and at < end]
            if at + size > top:
                raise BoardError(f"{self.memory} MiB of RAM cannot hold the modules of all domains")
            module.address = at
            # 2 MiB steps suit block mappings; small modules go closer.
            step = 2 * MIB if size > MIB else 64 * 1024
            at = -(-(at + size) // step) * step

    def source(self, workdir: str) -> str:
        """The host device tree as source, domains included."""
        dumped = os.path.join(workdir, "machine.dtb")
        command = [qemu_binary(), "-M", f"{self.machine()},dumpdtb={dumped}"]
        command += self.hardware() + ["-nodefaults", "-display", "none"] + list(self.extra)
        run(command)
        text = run(["dtc", "-q", "-I", "dtb", "-O", "dts", dumped])
        nodes = "".join(p.node() for p in self.pools) + "".join(d.node() for d in self.domains)
        bootargs = f'xen,xen-bootargs = "{self.bootargs}";\n' if self.bootargs else ""
        return (
            f"{text}\n/ {{ chosen {{\n#address-cells = <2>;\n#size-cells = <2>;\n"
            f"{bootargs}{self.chosen}\n{nodes}}}; }};\n"
        )

    def loaders(self) -> List[str]:
        args = []
        loaded = set()
        for module in (m for d in self.domains for m in d.modules if m.load):
            if (module.path, module.address) in loaded:
                continue
            loaded.add((module.path, module.address))
            args += ["-device", f"loader,file={module.path},addr={module.address:#x},force-raw=on"]
        return args

    def compose(self, workdir: str) -> List[str]:
        """Write the tree into workdir; return the QEMU command line."""
        os.makedirs(workdir, exist_ok=True)
        self.fill_modules(workdir)
        if self.hypervisor == "":
            return self.base() + self.bare()
        self.place()
        tree = os.path.join(workdir, "board.dtb")
        compile_tree(self.edit_source(self.source(workdir)), tree)
        image = self.hypervisor or os.path.join(self.out, "arm64", "loam")
        if self.edit_tree is None:
            return self.base() + ["-kernel", image, "-dtb", tree] + self.loaders()
        with open(tree, "rb") as file:
            content = self.edit_tree(file.read())
        with open(tree, "wb") as file:
            file.write(content)
        return self.base() + self.raw_boot(workdir, image, tree) + self.loaders()

    def bare(self) -> List[str]:
        """The first domain alone on the machine, without a hypervisor."""
        domain = self.domains[0]
        args = ["-kernel", domain.modules[0].path, "-append", domain.bootargs]
        if domain.ramdisk:
            args += ["-initrd", self.guest_file(domain.ramdisk)]
        return args

    @staticmethod
    def raw_boot(workdir: str, image: str, tree: str) -> List[str]:
        """Boot with a tree that QEMU itself would refuse: no -kernel, no -dtb.

        Three instructions stand in for the loader: x0 = tree, jump to image.
        """
        entry, at, start = RAM_BASE + 2 * MIB, RAM_BASE + 128 * MIB, RAM_BASE + 64 * MIB
        code = struct.pack(
            "<6I2Q",
            0x580000C0,  # ldr x0, tree
            0x580000E4,  # ldr x4, entry
            0xAA1F03E1,  # mov x1, xzr
            0xAA1F03E2,  # mov x2, xzr
            0xAA1F03E3,  # mov x3, xzr
            0xD61F0080,  # br x4
            at,
            entry,
        )
        path = os.path.join(workdir, "start.bin")
        with open(path, "wb") as file:
            file.write(code)
        files = ((image, entry), (tree, at), (path, start))
        args = []
        for name, address in files:
            args += ["-device", f"loader,file={name},addr={address:#x},force-raw=on"]
        return args + ["-device", f"loader,addr={start:#x},cpu-num=0"]


def run(command: Sequence[str]) -> str:
    """Run a tool; its output, or BoardError with its complaint."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise BoardError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise BoardError(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout


def compile_tree(source: str, path: str) -> None:
    """Compile device-tree source to a file, which appears when complete."""
    part = path + ".part"
    with open(path + ".dts", "w", encoding="ascii") as file:
        file.write(source)
    run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", part, path + ".dts"])
    os.replace(part, path)
