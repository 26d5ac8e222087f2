"""Encode pictures as H.264 in an MP4 file whose bytes depend on the pictures only."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

from shared.apps.video.rendering.chunks import GOP
from shared.apps.video.rendering.plan import Quality

_RATE_FACTORS: Final[dict[Quality, int]] = {"draft": 28, "standard": 20, "high": 16}
"""x264's constant rate factor: less means better pictures and larger files."""

_X264: Final = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:open-gop=0"
# What the values mean, in the numbers of ITU-T H.273. A browser's pictures have the transfer of sRGB: if a player that
# converts colours were told that it is that of BT.709, it would show others.
_BT709: Final = 1
_SRGB: Final = 13
_LIMITED: Final = 1  # the range of values that players expect


def encode(pictures: Iterable[bytes], *, size: tuple[int, int], fps: int, quality: Quality) -> tuple[bytes, int]:
    """Return the MP4 file of JPEG pictures, and how many there are. Only one picture is in memory at a time.

    Every GOP-th frame is a key frame that no frame refers across, so files can be joined. One thread encodes: with
    several, the bytes depend on their number.
    """
    import av  # noqa: PLC0415 - only what renders has it

    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": str(_RATE_FACTORS[quality]), "x264-params": _X264}
        context = stream.codec_context
        context.thread_count = 1
        context.color_primaries = context.colorspace = _BT709
        context.color_trc = _SRGB
        context.color_range = _LIMITED
        decoder = av.CodecContext.create("mjpeg", "r")
        count = 0
        for picture in pictures:
            output.mux(stream.encode(_frame(decoder, picture, count, fps)))
            count += 1
        output.mux(stream.encode(None))
    return file.getvalue(), count


def _frame(decoder: Any, picture: bytes, number: int, fps: int) -> Any:
    """Return the picture as a frame of the video; JPEG has the colours of BT.601 in their full range."""
    import av  # noqa: PLC0415 - only what renders has it

    (decoded,) = decoder.decode(av.Packet(picture))
    frame = decoded.reformat(
        format="yuv420p",
        src_colorspace="ITU601",
        dst_colorspace="ITU709",
        src_color_range="JPEG",
        dst_color_range="MPEG",
    )
    frame.pts = number
    frame.time_base = Fraction(1, fps)
    frame.pict_type = 0
    return frame
