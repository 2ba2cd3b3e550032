# SPDX-License-Identifier: MIT
"""What differs between the architectures that the bench knows."""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Arch:
    """One architecture: its tools, QEMU's board, and where things are on it."""
    name: str                 # of guest-NAME/, rows-NAME.tbl, out/NAME/loam
    cross: str                # prefix of the compiler's name
    guest_flags: str
    self_test_flags: str
    self_test_option: tuple   # of QEMU: before the program
    self_test_cpu: str
    qemu: str
    cpu: str
    board: str                # of -M
    firmware: tuple           # QEMU's options for it
    module_base: int
    hypervisor: int           # the level at which the hypervisor runs
    firmware_level: int       # and its firmware, if it calls one
    programs_level: int | None  # and a host's programs, where no guest runs at that level
    level_name: str
    command_line: str

    def tool(self, name):
        return os.environ.get("CROSS_COMPILE", self.cross) + name

    def emulator(self):
        """LOAM_QEMU stands for all that lie in its directory under QEMU's usual names."""
        own = os.environ.get("LOAM_QEMU")
        if not own:
            return self.qemu
        directory, name = os.path.split(own)
        return os.path.join(directory, self.qemu) if name.startswith("qemu-system-") else own


ARM64 = Arch(
    name="arm64",
    cross="aarch64-linux-gnu-",
    guest_flags="-mgeneral-regs-only -mstrict-align -mno-outline-atomics -mbranch-protection=none "
                "-ffixed-x18",
    self_test_flags="-Wl,-Ttext=0x40100000",
    self_test_option=("-kernel",),
    self_test_cpu="max",
    qemu="qemu-system-aarch64",
    cpu="max",
    board="virt,virtualization=on,gic-version=3,dtb-randomness=off",
    firmware=(),
    module_base=0x4A000000,
    hypervisor=2,
    firmware_level=3,
    programs_level=None,
    level_name="EL2",
    command_line="console=dtuart dtuart=/pl011@9000000 bootscrub=0",
)

RISCV64 = Arch(
    name="riscv64",
    cross="riscv64-linux-gnu-",
    guest_flags="-march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany",
    self_test_flags="-march=rv64gc -mabi=lp64d -Wl,-Ttext=0x80000000",
    self_test_option=("-bios",),
    self_test_cpu="rv64",
    qemu="qemu-system-riscv64",
    cpu="rv64",
    board="virt",
    firmware=("-bios", "default"),  # OpenSBI
    module_base=0x8A000000,
    hypervisor=1,
    firmware_level=3,
    programs_level=0,
    level_name="HS",
    command_line="",
)

ARCHES = {arch.name: arch for arch in (ARM64, RISCV64)}
