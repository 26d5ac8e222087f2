"""Divide the frames of a video into chunks that are rendered at once and joined without encoding them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GOP: Final = 60
"""Frames from one key frame to the next. A chunk begins with a key frame, so its frames are a multiple of this."""

MAX_CHUNKS: Final = 40
"""Most chunks of a video. Step Functions runs at most 40 iterations of an inline Map at once."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive frames of a video. `index` and `first`, its first frame, count from 0."""

    index: int
    first: int
    frames: int

    @property
    def name(self) -> str:
        """The name that sorts as the chunks play, such as `chunk-007`."""
        return f"chunk-{self.index:03}"


def divide(frames: int) -> tuple[Chunk, ...]:
    """Return the chunks of a video of this many frames: at most MAX_CHUNKS, each but the last of a multiple of GOP.

    Raises ValueError if there are no frames.
    """
    if frames < 1:
        raise ValueError("a video has at least one frame")
    each = -(-frames // MAX_CHUNKS)
    size = -(-each // GOP) * GOP
    starts = range(0, frames, size)
    return tuple(Chunk(index, first, min(size, frames - first)) for index, first in enumerate(starts))
