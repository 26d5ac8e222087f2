"""What an image is, is read from its own bytes; whatever is damaged, hidden or too large is refused by its rule."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, strategies

from shared.apps.video.picture import NotAPicture, Picture, read_picture
from tests.fakes.pictures import gif_of, jpeg_of, webp_canvas, webp_chunk, webp_of
from tests.fakes.png import chunk, png_file, png_of

PNG = png_of(1, 2, 3, width=5, height=4)
ALL = {"PNG": PNG, "JPEG": jpeg_of(5, 4), "GIF": gif_of(5, 4), "WebP": webp_of(5, 4)}


def png_of_size(width: int, height: int) -> bytes:
    return png_file(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"x")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (jpeg_of(5, 4), "image/jpeg"),
        (gif_of(5, 4), "image/gif"),
        (webp_of(5, 4), "image/webp"),
        (webp_of(5, 4, kind=b"VP8 "), "image/webp"),
        (webp_of(1, 1, before=webp_canvas(5, 4)), "image/webp"),
    ],
)
def test_the_type_and_the_size_are_read_from_the_content(content: bytes, kind: Any) -> None:
    assert read_picture(content) == Picture(kind, 5, 4)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"", "must be a PNG, JPEG, WebP or GIF", id="nothing"),
        pytest.param(b"hello", "must be a PNG, JPEG, WebP or GIF", id="text"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="svg"),
        pytest.param(b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<SVG>', "SVG", id="svg with a prologue"),
        pytest.param(b"<!DOCTYPE html><script>", "web page", id="html"),
        pytest.param(b"\0\0\0\x18ftypheic", "HEIC", id="heic"),
        pytest.param(b"\0\0\0\x18ftypavif", "AVIF", id="avif"),
        pytest.param(b"%PDF-1.7", "PDF", id="pdf"),
        pytest.param(b"RIFF\x04\0\0\0WAVE", "RIFF", id="wav"),
        pytest.param(b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>", "damaged PNG", id="png header and html"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"x"), "begin with its header", id="png without a header"),
        pytest.param(PNG[:-20] + b"\0" + PNG[-19:], "checksum", id="png with a changed byte"),
        pytest.param(b"GIF88a" + gif_of(5, 4)[6:], "version", id="gif of an unknown version"),
        pytest.param(gif_of(5, 4, pictures=0), "no pixels", id="gif without a picture"),
        pytest.param(webp_of(5, 4)[:8] + b"WEBP" + webp_chunk(b"ICCP", b"")[:8], "too early", id="webp cut"),
        pytest.param(b"\xff\xd8\xff\xd9", "does not say its size", id="jpeg without a frame"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x04abX", "marker is missing", id="jpeg with a wrong length"),
        pytest.param(png_of_size(0, 4), "no pixels", id="no width"),
        pytest.param(png_of_size(30_000, 30_000), "at most 8192 pixels on a side", id="30,000 x 30,000"),
        pytest.param(png_of_size(8192, 8192), "40 million in all", id="67 million pixels"),
        pytest.param(jpeg_of(8193, 1), "it has 8193 x 1 pixels", id="a side too long"),
        pytest.param(gif_of(5, 4, pictures=2), "several pictures", id="animated gif"),
        pytest.param(webp_of(5, 4, before=webp_chunk(b"ANIM", b"\0" * 6)), "several pictures", id="animated webp"),
        pytest.param(PNG[:33] + chunk(b"acTL", b"\0" * 8) + PNG[33:], "several pictures", id="animated png"),
    ],
)
def test_what_a_project_does_not_take_is_refused_by_its_rule(content: bytes, rule: str) -> None:
    with pytest.raises(NotAPicture, match=rule):
        read_picture(content)


@pytest.mark.parametrize("kind", ALL)
def test_a_file_behind_the_end_of_an_image_is_refused(kind: str) -> None:
    with pytest.raises(NotAPicture, match=f"is a {kind} with 13 bytes behind its end"):
        read_picture(ALL[kind] + b"<script>1</s>")


@pytest.mark.parametrize("kind", ALL)
def test_an_image_that_ends_too_early_is_refused(kind: str) -> None:
    whole = ALL[kind]
    for length in range(12, len(whole)):
        with pytest.raises(NotAPicture):
            read_picture(whole[:length])


@given(strategies.sampled_from(sorted(ALL)), strategies.integers(0, 200), strategies.binary(max_size=12))
def test_no_bytes_break_the_reader(kind: str, at: int, change: bytes) -> None:
    whole = ALL[kind]
    with contextlib.suppress(NotAPicture):
        assert read_picture(whole[:at] + change + whole[at + len(change) :])
