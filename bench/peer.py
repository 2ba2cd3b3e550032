# SPDX-License-Identifier: MIT
"""Other hypervisors beside Loam in the rows that boot Debian's kernel: images that the user has.

A peer is one JSON file, which README.md describes. It says how QEMU boots the peer in each row,
with the same guest inside its image; the bench adds what makes counts comparable.
"""

import dataclasses
import json
import os
import pathlib
import re

from build import BuildError

COMMON = ("-nodefaults", "-display", "none", "-no-reboot", "-bios", "default")


@dataclasses.dataclass
class Peer:
    """One file of --peer."""
    name: str
    directory: pathlib.Path  # of the file: its paths are relative to it
    rows: dict               # name of a row -> QEMU's arguments
    elf: dict                # name of a row -> ELF file with symbols; may lack any
    copying: tuple = ()      # functions that copy the guest's image
    clearing: tuple = ()     # and clear its RAM

    def command(self, emulator, row, console):
        if os.sep in emulator:
            emulator = os.path.abspath(emulator)
        return [emulator, *COMMON, "-serial", f"file:{console}", *self.rows[row]]

    def symbol_file(self, row):
        return self.directory / self.elf[row] if row in self.elf else None


def strings(values):
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} is not a list of strings")
    return values


def read(path, rows):
    """The Peer of a file; BuildError when it is not as README.md says or has none of the rows."""
    try:
        data = json.loads(path.read_text())
        peer = Peer(str(data["name"]), path.resolve().parent,
                    {row: strings(words) for row, words in data["rows"].items()},
                    dict(data.get("elf", {})), tuple(strings(data.get("copying", []))),
                    tuple(strings(data.get("clearing", []))))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BuildError(f"peer {path}: {type(error).__name__}: {error}") from error
    if not re.fullmatch(r"[\w.+-]+", peer.name) or peer.name == "Loam":
        raise BuildError(f"peer {path}: not a name for a peer: {peer.name!r}")
    unknown = (peer.rows.keys() | peer.elf.keys()) - set(rows)
    if unknown:
        raise BuildError(f"peer {path}: no row {' '.join(sorted(unknown))}: {' '.join(rows)}")
    return peer
