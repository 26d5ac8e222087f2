"""Tell from an image's own bytes what it is: its type and its size; never from its name or declared type.

Only the structure is read: chunks, segments and blocks. Pixels are not decoded, so a large image costs no memory.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

PictureType = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]
"""The types of images that a project takes."""

MAX_SIDE: Final = 8192
"""Most pixels of a side."""

MAX_PIXELS: Final = 40_000_000
"""Most pixels of an image."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_STILL: Final = "shows several pictures; upload one picture, because scenes move images themselves"
_DAMAGED: Final = "is a damaged {kind}: {what}; save it again and upload the new file"
_OTHERS: Final = (
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\0\0\x01\0", "an icon file"),
)
_BRANDS: Final = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF"}
_TAKEN: Final = "must be a PNG, JPEG, WebP or GIF"


class NotAPicture(Exception):
    """The bytes are no image that a project takes. The message is the rule that they break."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image is: its type, and its size in pixels."""

    type: PictureType
    width: int
    height: int


def read_picture(content: bytes) -> Picture:
    """Return what the image is. Raises NotAPicture with the rule that it breaks."""
    read = next((read for start, read in _READERS if content.startswith(start)), None)
    if read is None:
        raise NotAPicture(_named_refusal(content))
    try:
        picture = read(content)
    except (struct.error, IndexError):
        raise _damaged(_kind_of(read), "it ends too early") from None
    if not (picture.width and picture.height):
        raise _damaged(_kind_of(read), "it has no pixels")
    if max(picture.width, picture.height) > MAX_SIDE or picture.width * picture.height > MAX_PIXELS:
        size = f"{picture.width} x {picture.height} pixels"
        raise NotAPicture(
            f"must have at most {MAX_SIDE} pixels on a side and {MAX_PIXELS // 1_000_000} million in all; it has {size}"
        )
    return picture


def _named_refusal(content: bytes) -> str:
    """Return the rule for bytes that begin like none of the types, with the name of what they are, if it is known."""
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return f"{_TAKEN}; it is an SVG, which can contain programs: save it as a PNG"
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<script")):
        return f"{_TAKEN}; it is a web page or an XML document"
    if content[4:8] == b"ftyp" and (brand := _BRANDS.get(content[8:12])):
        return f"{_TAKEN}; it is {brand}, which not every browser and model can read: save it as a JPEG"
    name = next((name for start, name in _OTHERS if content.startswith(start)), None)
    return f"{_TAKEN}; it is {name}" if name else _TAKEN


def _damaged(kind: str, what: str) -> NotAPicture:
    return NotAPicture(_DAMAGED.format(kind=kind, what=what))


def _refuse_rest(kind: str, content: bytes, end: int) -> None:
    """Refuse bytes behind the end of the image: another file can hide there, such as a web page."""
    if end != len(content):
        raise NotAPicture(
            f"is a {kind} with {len(content) - end} bytes behind its end; save it again without them and upload that"
        )


# ---- PNG -------------------------------------------------------------------------------------------------------------


def _png(content: bytes) -> Picture:
    size: tuple[int, int] | None = None
    for kind, body, end in _png_chunks(content):
        if size is None:
            if kind != b"IHDR" or len(body) != 13:
                raise _damaged("PNG", "it does not begin with its header")
            size = struct.unpack_from(">II", body)
        elif kind == b"acTL":
            raise NotAPicture(_STILL)
        elif kind == b"IEND":
            _refuse_rest("PNG", content, end)
            return Picture("image/png", *size)
    raise _damaged("PNG", "it ends too early")


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield the type and body of each chunk, and the position behind it. Raises NotAPicture if a checksum is wrong."""
    at = len(_PNG)
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        kind, body = content[at + 4 : at + 8], content[at + 8 : end - 4]
        (checksum,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(kind + body) != checksum:
            raise _damaged("PNG", "a checksum is wrong")
        yield kind, body, end
        at = end


# ---- JPEG ------------------------------------------------------------------------------------------------------------

_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


def _jpeg(content: bytes) -> Picture:
    size: tuple[int, int] | None = None
    at = 2
    while True:
        if content[at] != 0xFF:
            raise _damaged("JPEG", "a marker is missing")
        marker = content[at + 1]
        at += 1 if marker == 0xFF else 2  # any number of fill bytes may come before a marker
        if marker == _END:
            break
        if marker in _ALONE or marker == 0xFF:
            continue
        (length,) = struct.unpack_from(">H", content, at)
        if marker in _SIZES:
            height, width = struct.unpack_from(">HH", content, at + 3)
            size = (width, height)
        at += length
        if marker == _START_OF_SCAN:
            at = _behind_scan(content, at)
    if size is None:
        raise _damaged("JPEG", "it does not say its size")
    _refuse_rest("JPEG", content, at)
    return Picture("image/jpeg", *size)


def _behind_scan(content: bytes, at: int) -> int:
    """Return the position of the marker behind the pixels: in them, 0xFF is followed by 0 or by a restart marker."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise _damaged("JPEG", "it ends too early")
        if content[at + 1] != 0 and content[at + 1] not in _ALONE:
            return at
        at += 2


# ---- GIF -------------------------------------------------------------------------------------------------------------


def _gif(content: bytes) -> Picture:
    if content[3:6] not in {b"87a", b"89a"}:
        raise _damaged("GIF", "its version is unknown")
    width, height = struct.unpack_from("<HH", content, 6)
    at = 13 + _colours(content[10])
    pictures = 0
    while content[at] != 0x3B:
        if content[at] == 0x21:
            at = _behind_blocks(content, at + 2)
        elif content[at] == 0x2C:
            pictures += 1
            at = _behind_blocks(content, at + 10 + _colours(content[at + 9]) + 1)
        else:
            raise _damaged("GIF", "a block is unknown")
    if pictures > 1:
        raise NotAPicture(_STILL)
    if pictures == 0:
        raise _damaged("GIF", "it has no pixels")
    _refuse_rest("GIF", content, at + 1)
    return Picture("image/gif", width, height)


def _colours(flags: int) -> int:
    """Return the bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(content: bytes, at: int) -> int:
    """Return the position behind a chain of blocks, each of which begins with its length."""
    while length := content[at]:
        at += 1 + length
    return at + 1


# ---- WebP ------------------------------------------------------------------------------------------------------------


def _webp(content: bytes) -> Picture:
    (length,) = struct.unpack_from("<I", content, 4)
    if content[8:12] != b"WEBP":
        raise NotAPicture(f"{_TAKEN}; it is another file in a RIFF container, such as a WAV or an AVI")
    end = 8 + length + (length & 1)
    if len(content) < end:
        raise _damaged("WebP", "it ends too early")
    _refuse_rest("WebP", content, end)
    canvas: tuple[int, int] | None = None
    for kind, at, size in _webp_chunks(content, end):
        if kind in {b"ANIM", b"ANMF"}:
            raise NotAPicture(_STILL)
        if kind == b"VP8X":
            if size < 10:
                raise _damaged("WebP", "its header is too short")
            width, height = (int.from_bytes(content[start : start + 3], "little") + 1 for start in (at + 4, at + 7))
            canvas = (width, height)
        elif kind in {b"VP8 ", b"VP8L"}:
            return Picture("image/webp", *(canvas or _webp_frame(content, kind, at)))
    raise _damaged("WebP", "it has no pixels")


def _webp_chunks(content: bytes, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, the position of its body, and the length of that."""
    at = 12
    while at < end:
        kind, (size,) = content[at : at + 4], struct.unpack_from("<I", content, at + 4)
        if at + 8 + size > end:
            raise _damaged("WebP", "it ends too early")
        yield kind, at + 8, size
        at += 8 + size + (size & 1)


def _webp_frame(content: bytes, kind: bytes, at: int) -> tuple[int, int]:
    if kind == b"VP8L":
        if content[at] != 0x2F:
            raise _damaged("WebP", "its header is wrong")
        (bits,) = struct.unpack_from("<I", content, at + 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if content[at + 3 : at + 6] != b"\x9d\x01\x2a":
        raise _damaged("WebP", "its header is wrong")
    width, height = struct.unpack_from("<HH", content, at + 6)
    return width & 0x3FFF, height & 0x3FFF


_READERS: Final[tuple[tuple[bytes, Callable[[bytes], Picture]], ...]] = (
    (_PNG, _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
)
_NAMES: Final[dict[Callable[[bytes], Picture], str]] = {_png: "PNG", _jpeg: "JPEG", _gif: "GIF", _webp: "WebP"}


def _kind_of(read: Callable[[bytes], Picture]) -> str:
    return _NAMES[read]
