"""Reads the images that a request to the scripted model holds: format, size, and the mean colour of a PNG."""

from __future__ import annotations

import base64
import functools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from local.model.errors import BadRequest
from local.model.png import PNG_START, UnreadablePng, read_png

_DATA_URL: Final = re.compile(r"data:(?P<type>image/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)
_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True, slots=True)
class Image:
    """One image. `mean_colour` is `#rrggbb`; None for other formats than PNG and for a PNG that is too large."""

    format: str
    width: int
    height: int
    mean_colour: str | None = None

    def __str__(self) -> str:
        colour = f", mean colour {self.mean_colour}" if self.mean_colour else ""
        return f"{self.format.upper()}, {self.width} x {self.height} pixels{colour}"


@functools.lru_cache(maxsize=16)  # a conversation sends its images again with every turn
def read_image(url: str) -> Image:
    """Read the image of a `data:` URL. Raises BadRequest for any other URL and for what is not an image."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise BadRequest(
            f"Invalid image URL {url[:40]!r}: the scripted model takes base64 `data:` URLs of images only."
        )
    try:
        data = base64.b64decode(found["data"], validate=True)
        image = _decoded(data)
    except (ValueError, LookupError, struct.error, UnreadablePng) as error:
        raise BadRequest(f"The image cannot be decoded: {error}.") from error
    if found["type"] != f"image/{image.format}":
        raise BadRequest(f"The URL says {found['type']}, but the image is image/{image.format}.")
    return image


def _decoded(data: bytes) -> Image:
    for start, read in _FORMATS.items():
        if data.startswith(start):
            return read(data)
    raise ValueError("it is not a PNG, JPEG, GIF or WebP")


def _png(data: bytes) -> Image:
    png = read_png(data)
    return Image("png", png.width, png.height, png.mean_colour)


def _gif(data: bytes) -> Image:
    return Image("gif", *struct.unpack_from("<HH", data, 6))


def _jpeg(data: bytes) -> Image:
    at = 2
    while True:
        marker, kind, length = struct.unpack_from(">BBH", data, at)
        if marker != 0xFF:
            raise ValueError("a marker of the JPEG is missing")
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Image("jpeg", width, height)
        at += 2 + length


def _webp(data: bytes) -> Image:
    kind = data[8:16]
    if kind == b"WEBPVP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Image("webp", width, height)
    if kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Image("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"WEBPVP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Image("webp", width & 0x3FFF, height & 0x3FFF)
    raise ValueError("its RIFF container holds no WebP image")


# The first bytes of a file → the function that reads its header.
_FORMATS: Final[dict[bytes, Callable[[bytes], Image]]] = {
    PNG_START: _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"RIFF": _webp,
}
