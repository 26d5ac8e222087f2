"""Render chunks with headless Chromium and x264, as many at once as this machine has processors; and join them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from shared.apps.video.rendering import joining, programs
from shared.apps.video.rendering.browser import Browser
from shared.apps.video.rendering.capture import missing_fonts, open_stage, pictures
from shared.apps.video.rendering.chunks import Chunk
from shared.apps.video.rendering.encoder import encode
from shared.apps.video.rendering.plan import ImageFile, RenderPlan
from shared.apps.video.rendering.renderer import JoinedVideo, RenderedChunk
from shared.apps.video.rendering.stage_files import stage_files

T = TypeVar("T")

# A browser and an encoder use a processor and 300 MB, and Step Functions starts many chunks at once: the others wait.
_THREADS: Final = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="render")


class _Attempt:
    """What ends an attempt from another thread: its browser, or its start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._browser: Browser | None = None
        self._stopped = False

    def begin(self, browser: Browser) -> None:
        """Kill the browser when the attempt is stopped; at once if it has been."""
        with self._lock:
            self._browser = browser
            if self._stopped:
                browser.kill()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._browser is not None:
                self._browser.kill()


class ChromiumRenderer:
    """A ChunkRenderer. Each attempt has its own browser, which ends with it."""

    def require(self) -> None:
        """Raise RendererMissing, which names what to install, if this machine cannot render."""
        programs.require()

    async def render(self, plan: RenderPlan, chunk: Chunk, images: Mapping[str, ImageFile]) -> RenderedChunk:
        """Render one chunk; see ChunkRenderer."""
        attempt = _Attempt()
        return await _in_thread(lambda: _render(plan, chunk, images, attempt), attempt.stop)


class Mp4Joiner:
    """A ChunkJoiner."""

    async def join(self, plan: RenderPlan, chunks: Iterable[bytes]) -> JoinedVideo:
        """Join the chunks; see ChunkJoiner. A thread reads `chunks`."""
        programs.require_packages()
        return await _in_thread(lambda: joining.join(plan, chunks), lambda: None)


async def _in_thread(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """Return what `work` returns in a thread. If the caller is cancelled, call `stop`, and wait for the thread."""
    future = _THREADS.submit(work)
    wrapped = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(wrapped)
    except asyncio.CancelledError:
        if not future.cancel():
            stop()
            await asyncio.wait({wrapped})
            if not wrapped.cancelled():
                wrapped.exception()  # asyncio logs exceptions that nothing has asked for
        raise


def _render(plan: RenderPlan, chunk: Chunk, images: Mapping[str, ImageFile], attempt: _Attempt) -> RenderedChunk:
    began = time.monotonic()
    with Browser(programs.program(), plan.size, stage_files(images)) as browser:
        attempt.begin(browser)
        open_stage(browser, plan, chunk)
        lacking = missing_fonts(browser, plan)
        content, frames = encode(
            pictures(browser, plan, chunk), size=plan.size, fps=plan.format.fps, quality=plan.quality
        )
        version = browser.version
    return RenderedChunk(
        content=content,
        frames=frames,
        sha256=hashlib.sha256(content).hexdigest(),
        seconds=time.monotonic() - began,
        renderer=version,
        missing_fonts=lacking,
    )
