# SPDX-License-Identifier: MIT
"""Builds what the bench needs: the counting plugin, the guest image, and Debian's Xen to compare.

Everything goes below one output directory. Xen's package is fetched by apt with a state directory
of its own, so that neither the machine's architectures nor its package lists change, and is only
unpacked, never installed.
"""

import gzip
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
XEN_PACKAGE = "xen-hypervisor-4.17-arm64"
GUEST_MAX_BYTES = 64 * 1024

PLUGIN_FLAGS = "-std=gnu11 -O2 -Wall -Wextra -Wshadow -shared -fPIC -fvisibility=hidden".split()
GUEST_FLAGS = """
    -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -ffreestanding -fno-builtin -fno-stack-protector -fno-tree-loop-distribute-patterns -fPIE
    -nostdlib -static-pie -Wl,--no-dynamic-linker -Wl,--build-id=none -Wl,-z,norelro
    -Wl,--no-warn-rwx-segments
""".split()


class BuildError(Exception):
    """Something the bench needs cannot be made; the text says what and why."""


def run(command, **kwargs):
    """Runs a command and returns its output; a failure names it and carries its last lines."""
    try:
        done = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, **kwargs)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} did not finish in {error.timeout} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise BuildError(f"{' '.join(str(c) for c in command)}\n{tail}")
    return done.stdout


def archive(tree, names):
    """Files below `tree` as a cpio archive that Linux unpacks, the same bytes each time: they decide
    what a boot does when."""
    for name in names:
        os.utime(tree / name, (0, 0))
    command = ["cpio", "-o", "-H", "newc", "-R", "0:0", "--reproducible", "--quiet"]
    return subprocess.run(command, cwd=tree, input="\n".join(names).encode() + b"\n",
                          stdout=subprocess.PIPE, check=True).stdout


def behind(first, more):
    """Two archives one after the other; Linux unpacks the second over the first."""
    return first + bytes(-len(first) % 4) + more


def build_plugin(out):
    target = out / "count.so"
    run([os.environ.get("HOSTCC", "gcc"), *PLUGIN_FLAGS, "-o", target,
         *sorted((HERE / "plugin").glob("*.c"))])
    return target


def self_test_source(arch):
    return HERE / f"plugin/selftest-{arch.name}.S"


def build_self_test(arch, out):
    target = out / "selftest.elf"
    run([arch.tool("gcc"), "-nostdlib", "-static", *arch.self_test_flags.split(),
         "-Wl,--build-id=none", "-o", target, self_test_source(arch)])
    return target


def write_rows_header(rows, path):
    lines = ["/* SPDX-License-Identifier: MIT */", "/* Made from a table of rows. */"]
    lines += [f"#define ROW_{row.name.upper()} {row.id}" for row in rows]
    path.write_text("\n".join(lines) + "\n")


def build_guest(arch, out, rows):
    source = HERE / f"guest-{arch.name}"
    elf, image = out / "guest.elf", out / "guest.img"
    write_rows_header(rows, out / "rows.h")
    run([arch.tool("gcc"), *GUEST_FLAGS, *arch.guest_flags.split(), f"-I{out}", f"-I{source}",
         f"-Wl,-T,{HERE / 'guest/image.ld'}", "-o", elf,
         *sorted(source.glob("*.S")), *sorted(source.glob("*.c")),
         *sorted((HERE / "guest").glob("*.c"))])
    run([arch.tool("objcopy"), "-O", "binary", elf, image])
    if image.stat().st_size > GUEST_MAX_BYTES:
        raise BuildError(f"the guest has {image.stat().st_size} bytes, more than {GUEST_MAX_BYTES}")
    return image


def apt_options(state):
    """An arm64 view of the machine's own apt sources, kept apart below `state`."""
    for sub in ("lists/partial", "cache/archives/partial"):
        (state / sub).mkdir(parents=True, exist_ok=True)
    settings = {
        "APT::Architecture": "arm64", "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root", "Dir::State": state, "Dir::State::lists": state / "lists",
        "Dir::State::status": "/dev/null", "Dir::Cache": state / "cache",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def fetch_xen(out):
    """The path of Debian's Xen 4.17 as a raw Image; downloads and unpacks it the first time."""
    image = out / "xen-4.17-arm64"
    if image.exists():
        return image
    state = out.resolve() / "apt"
    options = apt_options(state)
    run(["apt-get", *options, "-q", "update"])
    run(["apt-get", *options, "-q", "download", XEN_PACKAGE], cwd=state)
    package = sorted(state.glob(f"{XEN_PACKAGE}_*.deb"))[-1]
    run(["dpkg-deb", "-x", package, state / "root"])
    found = [f for f in sorted((state / "root/boot").glob("xen-4.17-arm64*"))
             if f.suffix in ("", ".gz", ".17-arm64")]
    if not found:
        raise BuildError(f"{package.name} holds no /boot/xen-4.17-arm64")
    packed = found[0].read_bytes()
    image.write_bytes(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    (out / "xen-package.txt").write_text(package.name + "\n")
    shutil.rmtree(state)
    return image
