"""The events of a render, besides those of every job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.log.events import ApplicationEvent


class RenderQueued(ApplicationEvent):
    """The render is queued, because its owner has as many renders as may run at once. `position` 1 starts next."""

    type: Literal["renderQueued"] = "renderQueued"
    key: Literal["queue"] = "queue"
    position: int = Field(ge=1)


class FontsNeeded(ApplicationEvent):
    """The video has Chinese, Japanese or Korean characters or emoji, for which no font is bundled.

    `packages` are those of Debian that have one. Where the machine that renders lacks them, these characters are boxes.
    """

    type: Literal["fontsNeeded"] = "fontsNeeded"
    key: Literal["fonts"] = "fonts"
    packages: tuple[str, ...]


class ChunkRendered(ApplicationEvent):
    """A chunk of the video is rendered and stored, the `chunk`th of `of`; its frames begin with `first_frame`, from 0.

    `key` is that of its subtask. `milliseconds` is how long it took; 0 if an earlier attempt had rendered it.
    """

    type: Literal["chunkRendered"] = "chunkRendered"
    key: str
    chunk: int = Field(ge=1)
    of: int = Field(ge=1)
    first_frame: int = Field(ge=0)
    frames: int = Field(ge=1)
    milliseconds: int = Field(ge=0)
