"""Unpack the browser of the layer, which is packed because the code of a function may have 250 MiB."""

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
from xml.sax.saxutils import escape

LAYER: Final = Path("/opt/chromium")
"""The folder of the layer: the packed browser, its libraries and fonts, and a folder `fonts` of others."""

_BLOCK: Final = 1 << 20
_FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{own}</dir><dir>{others}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The layer's browser, and the environment that it starts with."""

    program: Path
    environment: Mapping[str, str]


@functools.cache
def unpacked(layer: Path = LAYER, folder: Path | None = None) -> Unpacked:
    """Return the layer's browser, unpacked in `folder` or the folder for temporary files, once in each process.

    It has 200 MB. If an earlier process of this machine has unpacked it, its files are taken: each appears whole.
    """
    target = folder or Path(tempfile.gettempdir()) / "millrace-chromium"
    target.mkdir(parents=True, exist_ok=True)
    program = target / "chromium-headless-shell"
    if not program.is_file():
        for name in ("al2023", "fonts"):
            _unpack_folder(layer / f"{name}.tar.br", target)
        fonts = _FONTS.format(own=escape(f"{target}/fonts"), others=escape(f"{layer}/fonts"), cache=f"{target}/cache")
        (target / "fonts.conf").write_text(fonts)
        _unpack_program(layer / "chromium.br", program)
    return Unpacked(program, {"LD_LIBRARY_PATH": str(target / "lib"), "FONTCONFIG_PATH": str(target)})


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
        # Python has filters from 3.11.4 on; without one, this is an archive of the layer, which is trusted.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(target)  # noqa: S202 - see above
