"""Small JPEG, GIF and WebP files: their structure is real, and no test decodes their pixels."""

from __future__ import annotations

import struct

GIF_PICTURE = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"
"""One picture of a GIF."""


def jpeg_of(width: int, height: int) -> bytes:
    """Return a JPEG with a comment, a header of this size, and pixels that hold escaped bytes and a restart marker."""
    comment = b"\xff\xfe" + struct.pack(">H", 7) + b"hello"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\0\0\x3f\0" + b"\x12\xff\0\x34\xff\xd0\x56"
    return b"\xff\xd8" + comment + frame + scan + b"\xff\xff\xd9"


def gif_of(width: int, height: int, *, pictures: int = 1) -> bytes:
    """Return a GIF with a table of two colours, an extension, and these pictures."""
    extension = b"\x21\xf9\x04\0\0\0\0\0"
    header = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return header + (extension + GIF_PICTURE) * pictures + b"\x3b"


def webp_of(width: int, height: int, *, kind: bytes = b"VP8L", before: bytes = b"") -> bytes:
    """Return a WebP with a frame of this kind; `before` are the chunks before it."""
    body = {
        b"VP8L": b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0",
        b"VP8 ": b"\x10\x02\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }[kind]
    chunks = before + webp_chunk(kind, body)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    """Return one part of a WebP, padded to an even length."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def webp_canvas(width: int, height: int) -> bytes:
    """Return the chunk that says the size of a WebP with further features."""
    return webp_chunk(b"VP8X", b"\0" * 4 + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))
