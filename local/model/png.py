"""Reads a PNG with zlib: its size, and the mean colour of its pixels."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
_LARGEST: Final = 1_000_000
"""Most pixels whose mean colour is computed: Python needs one to three microseconds for each."""

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_CHANNELS: Final = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}


class UnreadablePng(Exception):
    """The file is damaged, or it is not a PNG."""


@dataclass(frozen=True, slots=True)
class Png:
    """`mean_colour` is `#rrggbb`, without regard to transparency; None for a large or an interlaced image."""

    width: int
    height: int
    mean_colour: str | None


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool

    @property
    def bits_per_pixel(self) -> int:
        return self.depth * _CHANNELS[self.kind]

    @property
    def row_bytes(self) -> int:
        return (self.width * self.bits_per_pixel + 7) // 8


def read_png(data: bytes) -> Png:
    """Raises UnreadablePng."""
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise UnreadablePng("the PNG has no beginning or no end")
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if not width or not height or kind not in _CHANNELS or depth not in {1, 2, 4, 8, 16}:
        raise UnreadablePng("the header of the PNG is not valid")
    header = _Header(width, height, depth, kind, bool(interlace))
    if header.interlaced or width * height > _LARGEST:
        return Png(width, height, None)
    palette = b"".join(body for name, body in chunks if name == b"PLTE")
    pixels = _inflated(b"".join(body for name, body in chunks if name == b"IDAT"), header)
    return Png(width, height, _mean_colour(pixels, header, palette))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG_START)
    while at < len(data):
        if at + 8 > len(data):
            raise UnreadablePng("the PNG is cut off")
        length, name = struct.unpack_from(">I4s", data, at)
        body, checksum = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if checksum != zlib.crc32(name + body).to_bytes(4, "big"):
            raise UnreadablePng("the PNG is cut off or damaged")
        yield name, body
        at += 12 + length


def _inflated(compressed: bytes, header: _Header) -> bytes:
    expected = (header.row_bytes + 1) * header.height
    try:
        pixels = zlib.decompressobj().decompress(compressed, expected + 1)
    except zlib.error as error:
        raise UnreadablePng("the pixels of the PNG are damaged") from error
    if len(pixels) != expected:
        raise UnreadablePng("the PNG has too many or too few pixels")
    return pixels


def _rows(pixels: bytes, header: _Header) -> Iterator[bytes]:
    """Yield the rows with their filters undone: https://www.w3.org/TR/png-3/#9Filters."""
    step = max(1, header.bits_per_pixel // 8)
    above = bytes(header.row_bytes)
    for start in range(0, len(pixels), header.row_bytes + 1):
        row = pixels[start + 1 : start + 1 + header.row_bytes]
        above = _unfiltered(pixels[start], row, above, step)
        yield above


def _unfiltered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    if kind == 0:
        return row
    if kind == 2:
        return bytes((each + up) & 255 for each, up in zip(row, above, strict=True))
    done = bytearray(row)
    if kind == 1:
        for channel in range(step):
            done[channel::step] = bytes(each & 255 for each in itertools.accumulate(row[channel::step]))
        return bytes(done)
    if kind not in {3, 4}:
        raise UnreadablePng(f"the PNG has no filter {kind}")
    undo = _average_undone if kind == 3 else _paeth_undone
    for channel in range(step):
        done[channel::step] = undo(row[channel::step], above[channel::step])
    return bytes(done)


def _average_undone(row: bytes, above: bytes) -> bytes:
    left, done = 0, bytearray()
    for each, up in zip(row, above, strict=True):
        left = (each + (left + up) // 2) & 255
        done.append(left)
    return bytes(done)


def _paeth_undone(row: bytes, above: bytes) -> bytes:
    left = corner = 0
    done = bytearray()
    for each, up in zip(row, above, strict=True):
        to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        above_or_corner = up if to_up <= to_corner else corner
        predicted = left if to_left <= to_up and to_left <= to_corner else above_or_corner
        left, corner = (each + predicted) & 255, up
        done.append(left)
    return bytes(done)


def _mean_colour(pixels: bytes, header: _Header, palette: bytes) -> str:
    sums = [0, 0, 0]
    for row in _rows(pixels, header):
        for channel, total in enumerate(_row_sums(row, header, palette)):
            sums[channel] += total
    return "#" + "".join(f"{round(total / (header.width * header.height)):02x}" for total in sums)


def _row_sums(row: bytes, header: _Header, palette: bytes) -> tuple[int, int, int]:
    """Return the sums of red, green and blue over one row, each pixel with 0 to 255."""
    samples = row[::2] if header.depth == 16 else row
    if header.kind in {_RGB, _RGBA}:
        count = _CHANNELS[header.kind]
        return sum(samples[0::count]), sum(samples[1::count]), sum(samples[2::count])
    if header.kind == _GREY_ALPHA:
        samples = samples[::2]
    counted = Counter(samples if header.depth >= 8 else _small_samples(row, header))
    if header.kind == _PALETTE:
        if max(counted) * 3 + 3 > len(palette):
            raise UnreadablePng("a pixel of the PNG is not in its palette")
        red, green, blue = (
            sum(palette[index * 3 + channel] * times for index, times in counted.items()) for channel in range(3)
        )
        return red, green, blue
    brightest = 255 if header.depth >= 8 else 2**header.depth - 1
    grey = sum(value * times for value, times in counted.items()) * 255 // brightest
    return grey, grey, grey


def _small_samples(row: bytes, header: _Header) -> Iterator[int]:
    """Yield the samples of 1, 2 or 4 bits in a row."""
    shifts = range(8 - header.depth, -1, -header.depth)
    mask = 2**header.depth - 1
    return itertools.islice((byte >> shift & mask for byte in row for shift in shifts), header.width)
