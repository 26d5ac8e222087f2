"""Reading the size and the mean colour of a PNG."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.model.png import UnreadablePng, read_png
from tests.fakes.png import png_file, png_of


def header(width: int, height: int, depth: int = 8, kind: int = 2, interlace: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)


def filtered(rows: list[bytes], filters: list[int], step: int) -> bytes:
    """The rows as an encoder writes them, with one filter for each."""
    written = b""
    above = bytes(len(rows[0]))
    for row, kind in zip(rows, filters, strict=True):
        written += bytes([kind])
        for at, each in enumerate(row):
            left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
            up = above[at]
            estimate = left + up - corner
            paeth = min((left, up, corner), key=lambda value: abs(estimate - value))
            written += bytes([(each - (0, left, up, (left + up) // 2, paeth)[kind]) & 255])
        above = row
    return written


@given(data=st.data(), width=st.integers(1, 5), height=st.integers(1, 4), channels=st.sampled_from([1, 2, 3, 4]))
def test_the_mean_colour_does_not_depend_on_the_filters(
    data: st.DataObject, width: int, height: int, channels: int
) -> None:
    rows = [data.draw(st.binary(min_size=width * channels, max_size=width * channels)) for _ in range(height)]
    filters = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    file = png_file(header(width, height, kind=kind), zlib.compress(filtered(rows, filters, channels)))

    found = read_png(file)

    every = b"".join(rows)
    means = [sum(every[channel::channels]) / (width * height) for channel in ([0] * 3 if channels < 3 else range(3))]
    assert (found.width, found.height) == (width, height)
    assert found.mean_colour == "#" + "".join(f"{round(mean):02x}" for mean in means)


@pytest.mark.parametrize(
    ("depth", "kind", "row", "palette", "expected"),
    [
        (1, 0, b"\xa0", b"", "#aaaaaa"),
        (2, 0, b"\xe4", b"", "#aaaaaa"),
        (4, 0, b"\xf0\xf0", b"", "#aaaaaa"),
        (16, 0, b"\xff\x00\x00\x00\xff\x00", b"", "#aaaaaa"),
        (16, 2, b"\x30\xff\x60\xff\x90\xff" * 3, b"", "#306090"),
        (8, 3, b"\x01\x01\x01", b"\0\0\0\x10\x20\x30", "#102030"),
        (2, 3, b"\x54", b"\0\0\0\x10\x20\x30", "#102030"),
    ],
)
def test_every_kind_of_pixel_is_read(depth: int, kind: int, row: bytes, palette: bytes, expected: str) -> None:
    file = png_file(header(3, 1, depth, kind), zlib.compress(b"\0" + row), palette=palette)
    assert read_png(file).mean_colour == expected


@pytest.mark.parametrize("large", [header(2, 2, interlace=1), header(2000, 1000)])
def test_of_an_interlaced_or_a_large_image_only_the_size_is_read(large: bytes) -> None:
    found = read_png(png_file(large, zlib.compress(b"")))
    assert (found.width, found.mean_colour) == (struct.unpack_from(">I", large)[0], None)


WHOLE = png_of(255, 128, 0)


@pytest.mark.parametrize(
    "damaged",
    [
        WHOLE[:-12],
        WHOLE[:-20],
        WHOLE[:40] + b"\0" + WHOLE[41:],
        WHOLE[:8],
        png_file(header(3, 2), b"not deflated"),
        png_file(header(3, 2), zlib.compress(b"\0" * 19)),
        png_file(header(3, 2), zlib.compress(b"\0" * 21)),
        png_file(header(3, 2), zlib.compress((b"\x09" + bytes(9)) * 2)),
        png_file(header(0, 2), zlib.compress(b"\0\0")),
        png_file(header(1, 1, kind=1), zlib.compress(b"\0\0")),
        png_file(header(1, 1, depth=3), zlib.compress(b"\0\0")),
        png_file(header(1, 1, kind=3), zlib.compress(b"\0\x01"), palette=b"\0\0\0"),
    ],
)
def test_a_damaged_file_is_refused(damaged: bytes) -> None:
    with pytest.raises(UnreadablePng):
        read_png(damaged)
