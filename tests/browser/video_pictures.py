"""Decode videos and pictures with FFmpeg's libraries, and compare pictures by its filter `ssim`."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

Colour = tuple[int, int, int]


def frames_of(content: bytes) -> list[Any]:
    """Return the decoded frames of a video."""
    with av.open(io.BytesIO(content)) as video:
        return list(video.decode(video=0))


def colour_at(frame: Any, x: int, y: int) -> Colour:
    """Return the red, green and blue of a pixel."""
    plane = frame.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG").planes[0]
    start = y * plane.line_size + 3 * x
    red, green, blue = bytes(plane)[start : start + 3]
    return red, green, blue


def picture_of(png: bytes) -> Any:
    """Return a PNG as a frame with the colours of a video."""
    with av.open(io.BytesIO(png), format="png_pipe") as picture:
        frame = next(picture.decode(video=0))
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def likeness(one: Any, other: Any) -> float:
    """Return the structural similarity of two frames of the same size; that of equal ones is 1."""
    graph = Graph()
    inputs = []
    for frame in (one, other):
        given = graph.add_buffer(width=frame.width, height=frame.height, format="yuv420p", time_base=Fraction(1, 30))
        inputs.append((given, frame))
    compare, result = graph.add("ssim"), graph.add("buffersink")
    for number, (given, _) in enumerate(inputs):
        given.link_to(compare, 0, number)
    compare.link_to(result)
    graph.configure()
    for given, frame in inputs:
        frame.pts = 0
        given.push(frame.reformat(format="yuv420p"))
        given.push(None)
    return float(result.pull().metadata["lavfi.ssim.All"])
