"""Keep blocks and maps in the process: they are named by their contents, so they never become stale."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

CACHE_BYTES = 64 * 1024 * 1024
"""How many bytes of compressed blocks and maps a process keeps."""


class BlockCache:
    """The objects that were read or stored last, by key, up to `most_bytes`. Several threads may use it at once."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of the objects that are kept."""
        with self._lock:
            found = {key: self._contents[key] for key in keys if key in self._contents}
            for key in found:
                self._contents.move_to_end(key)
            return found

    def add(self, contents: Mapping[str, bytes]) -> None:
        """Keep these objects, and forget those that were not used for the longest time."""
        with self._lock:
            for key, content in contents.items():
                self._bytes += len(content) - len(self._contents.pop(key, b""))
                self._contents[key] = content
            while self._bytes > self._most_bytes:
                _, forgotten = self._contents.popitem(last=False)
                self._bytes -= len(forgotten)

    def forget(self, keys: Iterable[str]) -> None:
        """Forget these objects."""
        with self._lock:
            for key in keys:
                self._bytes -= len(self._contents.pop(key, b""))
