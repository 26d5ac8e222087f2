"""Keep one event loop per process, for handlers that Lambda calls synchronously.

The loop stays between invocations, so that the model client keeps its connections. In the local stack, several
invocations share a process, and the loop runs their stages concurrently.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
STORAGE_THREADS = 32
"""Number of threads for synchronous calls to AWS."""


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="storage"))
    threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine and return its result, or raise its exception."""
    return start(coroutine).result()


def start(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start the coroutine and return its future, which any thread may wait for."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop())
