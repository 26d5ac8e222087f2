"""A PNG of one colour, to be sent to a model and recognised there."""

from __future__ import annotations

import struct
import zlib


def png_of(red: int, green: int, blue: int, *, width: int = 3, height: int = 2) -> bytes:
    """Return the bytes of a PNG; colours are 0 to 255."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = (b"\0" + bytes((red, green, blue)) * width) * height
    return png_file(header, zlib.compress(pixels))


def png_file(header: bytes, compressed: bytes, *, palette: bytes = b"") -> bytes:
    """Return a PNG of these parts."""
    beside = chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + beside + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one part of a PNG with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
