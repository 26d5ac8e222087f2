"""Join the files of chunks without encoding them again, and check the frames of the result."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from shared.apps.video.rendering.plan import RenderPlan
from shared.apps.video.rendering.renderer import JoinedVideo
from shared.errors import DataUnreadable
from shared.temporary_folders import temporary_folder


def join(plan: RenderPlan, chunks: Iterable[bytes]) -> JoinedVideo:
    """Return the whole video. One chunk is in memory at a time, besides the result.

    Raises DataUnreadable if a chunk is no such file, or if the video does not have the frames of the plan.
    """
    import av  # noqa: PLC0415 - only what renders has it

    with temporary_folder("joining") as folder:
        path = folder / "video.mp4"
        try:
            _write(path, chunks, plan.format.fps)
            content = path.read_bytes()
            return _checked(plan, content)
        except av.FFmpegError as error:
            raise DataUnreadable(f"the chunks of the video cannot be joined: {error}") from error


def _write(path: Path, chunks: Iterable[bytes], fps: int) -> None:
    import av  # noqa: PLC0415 - only what renders has it

    # `faststart` puts the index before the pictures, so a player begins before it has the whole file.
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as output:
        stream = None
        first = delay = 0
        for chunk in chunks:
            with av.open(io.BytesIO(chunk), format="mp4") as source:
                video = source.streams.video[0]
                packets = [packet for packet in source.demux(video) if packet.dts is not None]  # not the empty last one
                if stream is None:
                    stream = output.add_stream_from_template(video)
                    delay = _delay(packets)
                elif video.codec_context.extradata != stream.codec_context.extradata:
                    raise DataUnreadable("the chunks of the video were encoded in different ways; render it again")
                _copy(packets, stream, output, Fraction(first, fps), delay)
                first += len(packets)


def _copy(packets: Sequence[Any], stream: Any, output: Any, start: Fraction, delay: int) -> None:
    """Copy the packets of a chunk that begins after `start` seconds.

    A decoder reads each frame `delay` before it shows the first one. A chunk of one frame has no such delay: without
    one, the frame before it would be decoded for longer, and the track would be longer than its pictures.
    """
    lacking = delay - _delay(packets)
    for packet in packets:
        shift = int(start / packet.time_base)
        packet.pts += shift
        packet.dts += shift - lacking
        packet.stream = stream
        output.mux(packet)


def _delay(packets: Sequence[Any]) -> int:
    return int(packets[0].pts - packets[0].dts)


def _checked(plan: RenderPlan, content: bytes) -> JoinedVideo:
    """Return the video with what its own headers say. Nothing is decoded."""
    import av  # noqa: PLC0415 - only what renders has it

    with av.open(io.BytesIO(content), format="mp4") as video:
        stream = video.streams.video[0]
        frames = sum(packet.dts is not None for packet in video.demux(stream))
        seconds = float((stream.duration or 0) * (stream.time_base or 0))
        size = (stream.width, stream.height)
    expected = (plan.frames, plan.size)
    if (frames, size) != expected or abs(seconds - plan.seconds) > 0.5 / plan.format.fps:
        raise DataUnreadable(
            f"the joined video has {frames} frames of {size[0]}x{size[1]} in {seconds:g} s instead of"
            f" {plan.frames} of {plan.size[0]}x{plan.size[1]} in {plan.seconds:g} s; render it again"
        )
    digest = hashlib.sha256(content).hexdigest()
    return JoinedVideo(content, frames, seconds, width=size[0], height=size[1], sha256=digest)
