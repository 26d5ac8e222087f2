"""The ports of rendering: draw and encode one chunk of a video, and join the chunks of a video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.apps.video.rendering.chunks import Chunk
from shared.apps.video.rendering.plan import ImageFile, RenderPlan


@dataclass(frozen=True, slots=True)
class RenderedChunk:
    """The MP4 file of one chunk. `sha256` is that of its bytes, in hexadecimal digits.

    Two attempts at a chunk have the same bytes. `seconds` is how long this attempt took, and `renderer` is the browser
    and its version, such as `Chrome/156.0.8078.108`. `missing_fonts` are the packages of Debian that have fonts for
    characters of the video, and are not installed: those characters are shown as boxes.
    """

    content: bytes
    frames: int
    sha256: str
    seconds: float
    renderer: str
    missing_fonts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinedVideo:
    """The MP4 file of a whole video; `width` and `height` are in pixels, `seconds` is its duration."""

    content: bytes
    frames: int
    seconds: float
    width: int
    height: int
    sha256: str


class ChunkRenderer(Protocol):
    """Draws and encodes chunks."""

    def require(self) -> None:
        """Raise RendererMissing, which names what to install, if this machine cannot render."""

    async def render(self, plan: RenderPlan, chunk: Chunk, images: Mapping[str, ImageFile]) -> RenderedChunk:
        """Render one chunk. `images` has every id of `plan.image_ids`.

        If the caller is cancelled, the browser is ended before CancelledError is raised.

        Raises:
            RendererMissing: this machine has no browser or no encoder; the message names what to install.
            SceneBroken: a scene throws, or holds the browser; the message names the scene and the frame.
            StorageUnavailable: the browser died or does not respond, `WORKER_LOST`; another attempt may succeed.
        """


class ChunkJoiner(Protocol):
    """Joins chunks."""

    async def join(self, plan: RenderPlan, chunks: Iterable[bytes]) -> JoinedVideo:
        """Join the files of all chunks, in their order, without encoding them again. They are read one by one.

        Raises:
            RendererMissing: this machine has no library for it; the message names what to install.
            DataUnreadable: a chunk is no such file, or the chunks do not have the frames of the plan.
        """
