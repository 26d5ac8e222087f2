"""One event loop per process, for code that Lambda calls synchronously.

A loop that outlives the invocation keeps the model client's connections; where several invocations share a process (the
local function host) it also runs their stages side by side.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
STORAGE_THREADS = 32


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="storage"))
    threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end and answer its result; its exceptions are raised here."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop()).result()
