"""Unpack the browser of the layer, which is packed because a function's code may have 250 MiB."""

from __future__ import annotations

import functools
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAYER: Final = Path("/opt/chromium")
"""The folder of the layer that has the packed browser, its libraries and its fonts."""

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The layer's browser, and the environment that it starts with."""

    program: Path
    environment: Mapping[str, str]


@functools.cache
def unpacked(layer: Path = LAYER, folder: Path | None = None) -> Unpacked:
    """Return the layer's browser, unpacked in `folder`, or in the folder for temporary files; once in each process.

    It has 200 MB. Another process that unpacks at the same time changes nothing: each file appears whole.
    """
    target = folder or Path(tempfile.gettempdir()) / "millrace-chromium"
    target.mkdir(parents=True, exist_ok=True)
    program = target / "chromium-headless-shell"
    if not program.is_file():
        _unpack_program(layer / "chromium.br", program)
    for name in ("al2023", "fonts"):
        if not (target / name).is_dir():
            _unpack_folder(layer / f"{name}.tar.br", target)
    environment = {
        "LD_LIBRARY_PATH": str(target / "al2023" / "lib"),
        "FONTCONFIG_PATH": str(target / "fonts"),
    }
    return Unpacked(program, environment)


def _unpack_program(packed: Path, program: Path) -> None:
    import brotli  # noqa: PLC0415 - only what renders has it

    decompressor = brotli.Decompressor()
    descriptor, name = tempfile.mkstemp(dir=program.parent)
    with packed.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        while block := source.read(_BLOCK):
            target.write(decompressor.process(block))
    Path(name).chmod(0o755)
    Path(name).rename(program)


def _unpack_folder(packed: Path, target: Path) -> None:
    import brotli  # noqa: PLC0415 - only what renders has it

    with tarfile.open(fileobj=io.BytesIO(brotli.decompress(packed.read_bytes()))) as archive:
        archive.extractall(target, filter="data")
