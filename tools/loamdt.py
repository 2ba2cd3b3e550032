# SPDX-License-Identifier: MIT
"""Compose what QEMU boots: the host device tree with boot-time domains.

A Board is one QEMU `virt` machine running Loam, a Domain is one node of Xen's
dom0less binding under /chosen (with Loam's own properties loam,weight,
loam,restart and loam,pci), Dom0 what Xen's binding says of the control domain. Board.compose() asks QEMU for its device tree, adds the domain
nodes, places each module in RAM where nothing else lives, and returns the
QEMU command line. Tests change the text or the bytes on the way, to break it.

    board = Board(out="out", cpus=2)  # arch="riscv64" for another architecture
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
GIB = 1 << 30
INTC_PHANDLE = 65000  # by the binding: the guest's interrupt controller
QEMU_VERSION = (10, 0)


class BoardError(Exception):
    """The machine that was asked for cannot be composed."""


@dataclass(frozen=True)
class Arch:
    """What QEMU's `virt` machine of an architecture is like."""

    qemu: str
    cpu: str  # the model, if none is asked for
    console: str  # Linux' name of its UART, and of the one that Loam gives domains
    guest: str  # where tools/mkguest leaves the Debian guest, in out
    ram_base: int
    image_base: int  # where QEMU puts the file of -kernel
    start_base: int  # Board.raw_boot: where its code is
    tree_base: int  # and its tree
    module_base: int  # from here on RAM is free


ARCHES = {
    # QEMU puts its tree at RAM + 128 MiB.
    "arm64": Arch(
        qemu="qemu-system-aarch64",
        cpu="max",
        console="ttyAMA0",
        guest="guest",
        ram_base=0x40000000,
        image_base=0x40200000,
        start_base=0x40000000 + 64 * MIB,
        tree_base=0x40000000 + 128 * MIB,
        module_base=0x40000000 + 160 * MIB,
    ),
    # The firmware is at the beginning of RAM, QEMU's tree at the end: see Board.place.
    "riscv64": Arch(
        qemu="qemu-system-riscv64",
        cpu="rv64",
        console="ttyS0",
        guest="guest-riscv64",
        ram_base=0x80000000,
        image_base=0x80200000,
        start_base=0x80000000 + 48 * MIB,
        tree_base=0x80000000 + 50 * MIB,
        module_base=0x80000000 + 64 * MIB,
    ),
}
RAM_BASE = ARCHES["arm64"].ram_base


def qemu_binary(arch: str = "arm64") -> str:
    """The emulator: LOAM_QEMU, or the one in the PATH.

    LOAM_QEMU stands for all that lie in its directory under QEMU's usual names.
    """
    usual = ARCHES[arch].qemu
    own = os.environ.get("LOAM_QEMU")
    if not own:
        return usual
    directory, name = os.path.split(own)
    return os.path.join(directory, usual) if name.startswith("qemu-system-") else own


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
    kernel: Optional[str] = None  # None: Debian's; a plain name: a micro guest of tests/guests
    ramdisk: Optional[str] = "initrd.cpio.gz"  # None: no ramdisk; a plain name: by tools/mkguest
    bootargs: str = ""  # "{console}" becomes Linux' name of the domain's UART
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
    pci: Sequence[str] = ()  # devices of the host, "0000:00:01.0"
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
        if self.pci:
            lines.append("loam,pci = " + ", ".join(f'"{one}"' for one in self.pci) + ";")
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
class Dom0:
    """The control domain: Debian with Xen's tools, unless told otherwise."""

    kernel: Optional[str] = None  # None: Debian's; a plain name: a micro guest of tests/guests
    ramdisk: Optional[str] = None  # None: by tools/mkdom0; "": no ramdisk
    bootargs: str = ""  # more for its kernel
    memory: int = 512  # MiB
    cpus: int = 2
    guest_loader: bool = False  # QEMU's device tells of it, not nodes of ours
    modules: List[Module] = field(default_factory=list)  # by Board.compose()

    def command_line(self) -> str:
        """Of its kernel."""
        return f"console=hvc0 earlycon=xenboot rdinit=/init {self.bootargs}".strip()

    def node(self) -> str:
        """Into /chosen: Xen's binding for dom0."""
        lines = [f'xen,dom0-bootargs = "{self.command_line()}";']
        return "\n".join(lines + [m.node() for m in self.modules]) + "\n"

    def loaders(self) -> List[str]:
        """guest_loader: QEMU's arguments."""
        args = []
        for module in self.modules:
            words = f"guest-loader,addr={module.address:#x},"
            if module.kind == "kernel":
                words += f"kernel={module.path},bootargs={self.command_line()}"
            else:
                words += f"initrd={module.path}"
            args += ["-device", words]
        return args


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


def passthrough_source(nodes: str, cells: int = 3) -> str:
    """The source of a partial tree with these nodes under /passthrough.

    cells: how many tell of an interrupt; a GIC's are 3, a PLIC's 1, an APLIC's 2.
    """
    return f"""/dts-v1/;
/ {{
    #address-cells = <2>;
    #size-cells = <2>;
    intc: interrupt-controller {{
        #interrupt-cells = <{cells}>;
        interrupt-controller;
        phandle = <{INTC_PHANDLE}>;
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
            interrupt-parent = <&intc>;
            interrupts = <0 2 4>;
            clocks = <&clk>;
            clock-names = "apb_pclk";
            xen,reg = <0x0 0x9010000 0x0 0x1000 0x0 0x9010000>;
            xen,path = "/pl031@9010000";
            xen,force-assign-without-iommu;
        };"""
    )


def passthrough_virtio_riscv64(slot: int, aplic: bool = False) -> str:
    """QEMU's virtio-mmio slot: 0x10001000 + 0x1000 * slot, source 1 + slot, level.

    aplic: the domain has an APLIC, which it does on a machine with guest interrupt files.
    """
    address = 0x10001000 + 0x1000 * slot
    interrupt = f"{1 + slot} 4" if aplic else f"{1 + slot}"
    return passthrough_source(
        f"""
        virtio_mmio@{address:x} {{
            compatible = "virtio,mmio";
            reg = <0x0 {address:#x} 0x0 0x1000>;
            interrupt-parent = <&intc>;
            interrupts = <{interrupt}>;
            dma-coherent;
            xen,reg = <0x0 {address:#x} 0x0 0x1000 0x0 {address:#x}>;
            xen,path = "/soc/virtio_mmio@{address:x}";
            xen,force-assign-without-iommu;
        }};""",
        2 if aplic else 1,
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
            interrupt-parent = <&intc>;
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
    arch: str = "arm64"
    cpu: Optional[str] = None  # None: what the architecture has as a rule
    aia: str = "none"  # riscv64: "none" (a PLIC), "aplic", "aplic-imsic"
    aia_guests: int = 0  # riscv64: guest interrupt files of each IMSIC
    iommu: bool = False  # riscv64: an IOMMU before the PCI bus
    hypervisor: Optional[str] = None  # None: out/ARCH/loam; "" boots the first domain bare
    bootargs: str = ""
    dom0: Optional[Dom0] = None
    domains: List[Domain] = field(default_factory=list)
    pools: List[Pool] = field(default_factory=list)
    chosen: str = ""  # device-tree source for /chosen, as it is
    edit_source: Callable[[str], str] = lambda text: text
    edit_tree: Optional[Callable[[bytes], bytes]] = None
    extra: Sequence[str] = ()  # further QEMU arguments
    interactive: bool = False  # a monitor behind the key escape, for a person
    escape: int = 29  # Ctrl-]

    def __post_init__(self) -> None:
        if self.arch not in ARCHES:
            raise BoardError(f"there is no architecture {self.arch}: {', '.join(ARCHES)}")
        self.facts = ARCHES[self.arch]

    def machine(self) -> str:
        if self.arch == "riscv64":
            guests = f",aia-guests={self.aia_guests}" if self.aia_guests else ""
            iommu = ",iommu-sys=on" if self.iommu else ""
            return f"virt,aia={self.aia}{guests}{iommu},memory-backend=ram"
        virtualization = "off" if self.hypervisor == "" else "on"
        return f"virt,virtualization={virtualization},gic-version=3,memory-backend=ram"

    def hardware(self) -> List[str]:
        # Not reserved: 64 GiB of RAM cost the host what is touched of them.
        backend = f"memory-backend-ram,id=ram,size={self.memory}M,reserve=off"
        size = ["-m", str(self.memory), "-object", backend]
        return ["-cpu", self.cpu or self.facts.cpu, "-smp", str(self.cpus)] + size

    def firmware(self) -> List[str]:
        # OpenSBI, which enters the file of -kernel one privilege level below its own.
        return ["-bios", "default"] if self.arch == "riscv64" else []

    def console(self) -> List[str]:
        if not self.interactive:
            return ["-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con"]
        # Ctrl-A belongs to Loam, Ctrl-C to the guest.
        return (
            ["-chardev", "stdio,id=con,mux=on,signal=off", "-serial", "chardev:con"]
            + ["-mon", "chardev=con,mode=readline", "-echr", str(self.escape)]
        )

    def base(self) -> List[str]:
        return (
            [qemu_binary(self.arch), "-M", self.machine()]
            + self.hardware()
            + self.firmware()
            + ["-nodefaults", "-display", "none", "-no-reboot"]
            + self.console()
            + list(self.extra)
        )

    def guest_file(self, name: str) -> str:
        return name if os.sep in name else os.path.join(self.out, self.facts.guest, name)

    def kernel_file(self, name: Optional[str]) -> str:
        if name is None:
            return self.guest_file("vmlinuz")
        if os.sep in name:
            return name
        return os.path.join(self.out, self.arch, "guests", f"{name}.img")

    def command_line(self, domain: Domain) -> str:
        return domain.bootargs.replace("{console}", self.facts.console)

    def fill_modules(self, workdir: str) -> None:
        """Turn kernel, ramdisk and passthrough of each domain into modules."""
        for domain in self.domains:
            if domain.modules is not None:
                continue
            kernel = self.kernel_file(domain.kernel)
            domain.modules = [Module("kernel", kernel, self.command_line(domain))]
            if domain.ramdisk:
                domain.modules.append(Module("ramdisk", self.guest_file(domain.ramdisk)))
            if domain.passthrough:
                path = os.path.join(workdir, f"{domain.name}.passthrough.dtb")
                compile_tree(domain.passthrough, path)
                domain.modules.append(Module("device-tree", path))
        if self.dom0 is not None:
            self.dom0.modules = [Module("kernel", self.kernel_file(self.dom0.kernel))]
            if self.dom0.ramdisk != "":
                ramdisk = self.dom0.ramdisk or os.path.join(self.out, "dom0", "initrd.cpio")
                self.dom0.modules.append(Module("ramdisk", ramdisk))

    def modules(self) -> List[Module]:
        """All of them, once fill_modules() has run."""
        dom0 = self.dom0.modules if self.dom0 is not None else []
        return dom0 + [m for d in self.domains for m in d.modules]

    def hypervisor_words(self) -> str:
        """The hypervisor's command line."""
        if self.dom0 is None:
            return self.bootargs
        words = f"dom0_mem={self.dom0.memory}M dom0_max_vcpus={self.dom0.cpus}"
        return f"{words} {self.bootargs}".strip()

    def place(self) -> None:
        """Give each module without an address one, clear of all others."""
        fixed = [(a, a + s) for d in self.domains for a, s in d.static_mem]
        fixed += [
            (m.address, m.address + os.path.getsize(m.path))
            for m in self.modules()
            if m.address is not None
        ]
        top = self.facts.ram_base + self.memory * MIB
        if self.arch == "riscv64":  # QEMU's tree: at the end of what 3 GiB can address
            end = min(top, 3 * GIB)
            fixed.append((end - 4 * MIB, end))
        at = self.facts.module_base
        for module in (m for m in self.modules() if m.address is None):
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
        command = [qemu_binary(self.arch), "-M", f"{self.machine()},dumpdtb={dumped}"]
        command += self.hardware() + self.firmware()
        command += ["-nodefaults", "-display", "none"] + list(self.extra)
        run(command)
        text = run(["dtc", "-q", "-I", "dtb", "-O", "dts", dumped])
        nodes = "".join(p.node() for p in self.pools) + "".join(d.node() for d in self.domains)
        words = self.hypervisor_words()
        bootargs = f'xen,xen-bootargs = "{words}";\n' if words else ""
        dom0 = self.dom0.node() if self.dom0 is not None else ""
        if self.edit_tree is not None:
            text += self.firmware_fixups()
        return (
            f"{text}\n/ {{ chosen {{\n#address-cells = <2>;\n#size-cells = <2>;\n"
            f"{bootargs}{self.chosen}\n{dom0}{nodes}}}; }};\n"
        )

    def firmware_fixups(self) -> str:
        """What OpenSBI changes in the tree that it passes on: raw_boot goes around it.

        Its own RAM is reserved, and the machine level's interrupt controllers are off.
        """
        if self.arch != "riscv64":
            return ""
        base, size = self.facts.ram_base, self.facts.image_base - self.facts.ram_base
        text = (
            "/ { reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;\n"
            f"mmode_resv@{base:x} {{ reg = <{cells64(base)} {cells64(size)}>; no-map; }}; }}; }};\n"
        )
        off = {"none": (), "aplic": (0xC000000,), "aplic-imsic": (0xC000000, 0x24000000)}
        for address in off[self.aia]:
            text += f'&{{/soc/interrupt-controller@{address:x}}} {{ status = "disabled"; }};\n'
        return text

    def loaders(self) -> List[str]:
        args = []
        loaded = set()
        for module in (m for m in self.modules() if m.load):
            if (module.path, module.address) in loaded:
                continue
            loaded.add((module.path, module.address))
            args += loader(module.path, module.address)
        return args

    def compose(self, workdir: str) -> List[str]:
        """Write the tree into workdir; return the QEMU command line."""
        os.makedirs(workdir, exist_ok=True)
        self.fill_modules(workdir)
        if self.hypervisor == "":
            return self.base() + self.bare()
        self.place()
        image = self.hypervisor or os.path.join(self.out, self.arch, "loam")
        if self.dom0 is not None and self.dom0.guest_loader:
            # It adds to the tree that QEMU makes, so there is none of ours.
            words = ["-kernel", image, "-append", self.hypervisor_words()]
            return self.base() + words + self.dom0.loaders()
        tree = os.path.join(workdir, "board.dtb")
        compile_tree(self.edit_source(self.source(workdir)), tree)
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
        args = ["-kernel", domain.modules[0].path, "-append", self.command_line(domain)]
        if domain.ramdisk:
            args += ["-initrd", self.guest_file(domain.ramdisk)]
        return args

    def raw_boot(self, workdir: str, image: str, tree: str) -> List[str]:
        """Boot with a tree that QEMU itself would refuse: no -dtb, and -kernel is not Loam.

        A few instructions stand in for the loader: tree to where the boot protocol
        wants its address, jump to image.
        """
        entry, start, at = self.facts.image_base, self.facts.start_base, self.facts.tree_base
        path = os.path.join(workdir, "start.bin")
        with open(path, "wb") as file:
            file.write(START_CODE[self.arch](start, at, entry))
        if self.arch == "riscv64":  # started by the firmware, which has QEMU's own tree
            return ["-kernel", path] + loader(image, entry) + loader(tree, at)
        args = loader(image, entry) + loader(tree, at) + loader(path, start)
        return args + ["-device", f"loader,addr={start:#x},cpu-num=0"]


def loader(path: str, address: int) -> List[str]:
    """A file as it is, into RAM."""
    return ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]


def start_arm64(_: int, tree: int, entry: int) -> bytes:
    """Code for any address: x0 = tree, x1 to x3 = 0, jump to entry."""
    return struct.pack(
        "<6I2Q",
        0x580000C0,  # ldr x0, tree
        0x580000E4,  # ldr x4, entry
        0xAA1F03E1,  # mov x1, xzr
        0xAA1F03E2,  # mov x2, xzr
        0xAA1F03E3,  # mov x3, xzr
        0xD61F0080,  # br x4
        tree,
        entry,
    )


def start_riscv64(start: int, tree: int, entry: int) -> bytes:
    """An ELF file with code for start: a1 = tree, jump to entry; a0 stays the hart's number."""
    code = struct.pack(
        "<4I2Q",
        0x00000297,  # auipc t0, 0
        0x0102B583,  # ld a1, 16(t0): tree
        0x0182B283,  # ld t0, 24(t0): entry
        0x00028067,  # jr t0
        tree,
        entry,
    )
    size = 64 + 56  # of the two headers
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    # ELF 64 of type EXEC (2) for RISC-V (243), one segment, PT_LOAD, readable, executable.
    header = struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, size, start, start, len(code), len(code), 8)
    return identity + header + segment + code


START_CODE = {"arm64": start_arm64, "riscv64": start_riscv64}


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
