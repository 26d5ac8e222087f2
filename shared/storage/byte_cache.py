"""Keep contents that never change in the process, so that they never become stale."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class ByteCache(Generic[K]):
    """The contents that were read or stored last, by key, up to `most_bytes` in all. Threads may share it."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._contents: OrderedDict[K, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, keys: Iterable[K]) -> Mapping[K, bytes]:
        """Return those of the contents that are kept."""
        with self._lock:
            found = {key: self._contents[key] for key in keys if key in self._contents}
            for key in found:
                self._contents.move_to_end(key)
            return found

    def add(self, contents: Mapping[K, bytes]) -> None:
        """Keep these contents, and forget those that were not used for the longest time."""
        with self._lock:
            for key, content in contents.items():
                self._bytes += len(content) - len(self._contents.pop(key, b""))
                self._contents[key] = content
            while self._bytes > self._most_bytes:
                _, forgotten = self._contents.popitem(last=False)
                self._bytes -= len(forgotten)

    def forget(self, keys: Iterable[K]) -> None:
        """Forget the contents of these keys."""
        with self._lock:
            for key in keys:
                self._bytes -= len(self._contents.pop(key, b""))

    def forget_all(self, matches: Callable[[K], bool]) -> None:
        """Forget the contents of all keys that match."""
        with self._lock:
            for key in [each for each in self._contents if matches(each)]:
                self._bytes -= len(self._contents.pop(key))
