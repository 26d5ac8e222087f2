"""Keep versions of scenes and components in the process: they never change, so they never become stale."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

CACHE_BYTES: Final = 32 * 1024 * 1024
"""How many characters of versions a process keeps."""

Key = tuple[str, str]
"""A project's id, and the sort key of a version."""


class VersionCache:
    """The versions that were read or stored last, as JSON, up to `most` characters. Threads may share it."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._texts: OrderedDict[Key, str] = OrderedDict()
        self._size = 0

    def get(self, keys: Iterable[Key]) -> Mapping[Key, str]:
        """Return those of the versions that are kept."""
        with self._lock:
            found = {key: self._texts[key] for key in keys if key in self._texts}
            for key in found:
                self._texts.move_to_end(key)
            return found

    def add(self, key: Key, text: str) -> None:
        """Keep a version that is stored, and forget those that were not used for the longest time."""
        with self._lock:
            self._size += len(text) - len(self._texts.pop(key, ""))
            self._texts[key] = text
            while self._size > self._most:
                _, forgotten = self._texts.popitem(last=False)
                self._size -= len(forgotten)

    def forget(self, project_id: str) -> None:
        """Forget the versions of a project that is deleted."""
        with self._lock:
            for key in [each for each in self._texts if each[0] == project_id]:
                self._size -= len(self._texts.pop(key))
