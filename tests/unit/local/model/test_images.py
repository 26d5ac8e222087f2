"""Reading the images of a request."""

from __future__ import annotations

import base64
import struct

import pytest

from local.model.errors import BadRequest
from local.model.images import Image, read_image
from tests.fakes.png import png_of


def url_of(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


JPEG = b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, 20, 30, 1) + b"abc"
WEBP = b"RIFF\x00\x00\x00\x00WEBP"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png_of(255, 128, 0, width=4), Image("png", 4, 2, "#ff8000")),
        (JPEG, Image("jpeg", 30, 20)),
        (b"GIF89a" + struct.pack("<HH", 30, 20), Image("gif", 30, 20)),
        (WEBP + b"VP8 " + bytes(10) + struct.pack("<HH", 30, 20), Image("webp", 30, 20)),
        (WEBP + b"VP8L" + bytes(5) + struct.pack("<I", 29 | 19 << 14), Image("webp", 30, 20)),
        (WEBP + b"VP8X" + bytes(8) + b"\x1d\0\0\x13\0\0", Image("webp", 30, 20)),
    ],
)
def test_format_and_size_are_in_the_header(data: bytes, expected: Image) -> None:
    assert read_image(url_of(data, expected.format)) == expected


def test_an_image_is_described_for_people() -> None:
    assert str(Image("png", 3, 2, "#ff8000")) == "PNG, 3 x 2 pixels, mean colour #ff8000"
    assert str(Image("jpeg", 3, 2)) == "JPEG, 3 x 2 pixels"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/a.png", "data:"),
        ("data:image/png,raw", "data:"),
        ("data:text/plain;base64,YQ==", "data:"),
        ("data:image/png;base64,§§", "decoded"),
        (url_of(b"not an image", "png"), "not a PNG, JPEG, GIF or WebP"),
        (url_of(png_of(1, 2, 3)[:-5], "png"), "cut off"),
        (url_of(png_of(1, 2, 3), "jpeg"), "the image is image/png"),
        (url_of(JPEG[:12], "jpeg"), "decoded"),
        (url_of(b"\xff\xd8\xff\x00\x00\x01\x00\x00\x00", "jpeg"), "decoded"),
        (url_of(b"GIF89a", "gif"), "decoded"),
        (url_of(WEBP + b"VP9 ", "webp"), "no WebP"),
    ],
)
def test_what_is_not_an_image_is_refused(url: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_image(url)
