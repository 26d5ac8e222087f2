"""The layer's packed browser is unpacked once, with the environment that it starts with."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import brotli
import pytest

from shared.apps.video.rendering.layer import unpacked


def packed_folder(name: str, content: bytes) -> bytes:
    """Return a packed archive with one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    packed: bytes = brotli.compress(archive.getvalue())
    return packed


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "chromium.br").write_bytes(brotli.compress(b"#!/bin/sh\n" * 300_000))
    (folder / "al2023.tar.br").write_bytes(packed_folder("lib/libnss3.so", b"library"))
    (folder / "fonts.tar.br").write_bytes(packed_folder("fonts/OpenSans.ttf", b"font"))
    return folder


def test_the_browser_its_libraries_and_its_fonts_are_unpacked(layer: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    found = unpacked(layer, target)
    assert os.access(found.program, os.X_OK)
    assert found.program.stat().st_size == 3_000_000
    assert (Path(found.environment["LD_LIBRARY_PATH"]) / "libnss3.so").read_bytes() == b"library"
    fonts = (Path(found.environment["FONTCONFIG_PATH"]) / "fonts.conf").read_text()
    assert f"<dir>{target}/fonts</dir><dir>{layer}/fonts</dir>" in fonts


def test_a_browser_that_an_earlier_process_has_unpacked_is_taken(layer: Path, tmp_path: Path) -> None:
    first = unpacked(layer, tmp_path / "target")
    (layer / "chromium.br").unlink()
    unpacked.cache_clear()
    assert unpacked(layer, tmp_path / "target") == first
