"""The ports of rendering without a browser: a chunk's file is a line of text for each of its frames."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from shared.apps.video.rendering.chunks import MAX_CHUNKS, Chunk
from shared.apps.video.rendering.plan import ImageFile, RenderPlan
from shared.apps.video.rendering.renderer import JoinedVideo, RenderedChunk
from shared.errors import DataUnreadable, RendererMissing, SceneBroken


class FakeRenderer:
    """Implements ChunkRenderer and ChunkJoiner.

    A scene whose code has `throw at N` throws at its frame N. `missing` is what is not installed. `before` is called
    with each chunk before it is rendered: a test can hold the world still there, or raise. `rendered` are the indexes
    of the chunks in the order in which they were rendered.
    """

    def __init__(self, *, missing: str = "", renderer: str = "Fake/1", missing_fonts: tuple[str, ...] = ()) -> None:
        self.missing = missing
        self.renderer = renderer
        self.missing_fonts = missing_fonts
        self.before: Callable[[Chunk], None] = lambda _: None
        self.rendered: list[int] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=MAX_CHUNKS)

    def require(self) -> None:
        if self.missing:
            raise RendererMissing(f"videos cannot be rendered here: {self.missing} is missing")

    async def render(self, plan: RenderPlan, chunk: Chunk, images: Mapping[str, ImageFile]) -> RenderedChunk:
        self.require()
        assert images.keys() == set(plan.image_ids)
        # Not in the loop's own threads: a chunk that a test holds would take one from everything else.
        await asyncio.wrap_future(self._threads.submit(self.before, chunk))
        content = "".join(_line(plan, frame) for frame in range(chunk.first, chunk.first + chunk.frames)).encode()
        with self._lock:
            self.rendered.append(chunk.index)
        digest = hashlib.sha256(content).hexdigest()
        return RenderedChunk(content, chunk.frames, digest, 0.5, self.renderer, self.missing_fonts)

    async def join(self, plan: RenderPlan, chunks: Iterable[bytes]) -> JoinedVideo:
        content = b"".join(chunks)
        frames = content.count(b"\n")
        if frames != plan.frames:
            raise DataUnreadable(f"the chunks have {frames} frames, not {plan.frames}")
        digest = hashlib.sha256(content).hexdigest()
        return JoinedVideo(content, frames, plan.seconds, *plan.size, digest)


def _line(plan: RenderPlan, frame: int) -> str:
    scene, own = plan.scene_at(frame)
    if f"throw at {own}\n" in scene.code:
        broken = SceneBroken(f"scene “{scene.name}” throws at frame {own}: Error: no more")
        broken.scene_id, broken.frame = scene.id, own
        raise broken
    return f"{scene.name} {own} {scene.props}\n"
