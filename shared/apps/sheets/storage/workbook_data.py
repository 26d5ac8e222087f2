"""Store the data of workbooks, and the files of sessions, in S3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from shared.apps.sheets.session_store import DataGone, FileInfo, Retained, UploadUrl, VersionData
from shared.clock import Clock
from shared.storage.byte_cache import ByteCache
from shared.storage.objects import ObjectGone, Objects

UPLOAD_SECONDS: Final = 15 * 60
"""How long a URL for an upload is valid."""

DOWNLOAD_SECONDS: Final = 5 * 60
"""How long a URL for a download is valid."""

CACHE_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of compressed blocks and maps a process keeps."""

CACHE: Final = ByteCache[str](CACHE_BYTES)
"""The blocks and maps that this process keeps, for all its requests. They are named by their contents."""


class S3WorkbookData:
    """Implements WorkbookData and SessionFiles under `sheets/<session>/` of a bucket.

    `count` gets how many blocks of a read were in the cache, and how many were not.
    """

    def __init__(
        self, objects: Objects, *, clock: Clock, count: Callable[[int, int], None], cache: ByteCache[str] = CACHE
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._count = count
        self._cache = cache

    def store(self, session_id: str, version: VersionData) -> str:
        snapshot = f"{version.engine}-{hashlib.sha256(version.snapshot).hexdigest()[:24]}"
        blocks = {_block(session_id, digest): content for digest, content in version.blocks.items()}
        kept = {**blocks, _map(session_id, version.map_digest): version.map}
        self._objects.put_all({_snapshot(session_id, snapshot): version.snapshot, **kept})
        self._cache.add(kept)
        return snapshot

    def block(self, session_id: str, digest: str) -> bytes:
        return self.blocks(session_id, [digest])[digest]

    def blocks(self, session_id: str, digests: Iterable[str]) -> Mapping[str, bytes]:
        keys = {_block(session_id, digest): digest for digest in digests}
        found = self._read(keys, count=True)
        return {digest: found[key] for key, digest in keys.items()}

    def map(self, session_id: str, digest: str) -> bytes:
        key = _map(session_id, digest)
        return self._read([key])[key]

    def snapshot(self, session_id: str, name: str) -> bytes:
        with _data_gone():
            return self._objects.get(_snapshot(session_id, name))

    def missing(
        self, session_id: str, *, maps: Iterable[str] = (), snapshots: Iterable[str] = (), blocks: Iterable[str] = ()
    ) -> Sequence[str]:
        names = {
            **{_map(session_id, name): name for name in maps},
            **{_snapshot(session_id, name): name for name in snapshots},
            **{_block(session_id, name): name for name in blocks},
        }
        return [names[key] for key in self._objects.missing(names)]

    def thin(self, session_id: str, keep: Retained, *, before: datetime) -> int:
        kept = {
            *(_block(session_id, name) for name in keep.blocks),
            *(_map(session_id, name) for name in keep.maps),
            *(_snapshot(session_id, name) for name in keep.snapshots),
        }
        folders = (_folder(session_id) + name for name in ("blocks/", "maps/", "models/"))
        old = [
            found.key
            for folder in folders
            for found in self._objects.list(folder)
            if found.key not in kept and found.stored_at < before
        ]
        self._objects.delete(old)
        self._cache.forget(old)
        return len(old)

    def delete(self, session_id: str) -> None:
        keys = [found.key for found in self._objects.list(_folder(session_id))]
        self._objects.delete(keys)
        self._cache.forget(keys)

    def upload_url(self, key: str, *, size: int, content_type: str) -> UploadUrl:
        url = self._objects.put_url(key, size=size, content_type=content_type, seconds=UPLOAD_SECONDS)
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        return UploadUrl(url, headers, self._clock() + timedelta(seconds=UPLOAD_SECONDS))

    def info(self, key: str) -> FileInfo | None:
        found = self._objects.info(key)
        return None if found is None else FileInfo(found.size, found.etag)

    def download(self, key: str, to: Path) -> None:
        with _data_gone():
            self._objects.download(key, to)

    def upload(self, key: str, file: Path, *, content_type: str) -> None:
        self._objects.upload(key, file, content_type=content_type)

    def download_url(self, key: str, *, name: str) -> str:
        return self._objects.get_url(key, name=name, seconds=DOWNLOAD_SECONDS)

    def _read(self, keys: Iterable[str], *, count: bool = False) -> Mapping[str, bytes]:
        """Return objects, from the cache as far as it has them."""
        asked = list(keys)
        kept = self._cache.get(asked)
        with _data_gone():
            read = self._objects.get_all(key for key in asked if key not in kept)
        self._cache.add(read)
        if count and asked:
            self._count(len(kept), len(read))
        return {**kept, **read}


def _folder(session_id: str) -> str:
    return f"sheets/{session_id}/"


def _block(session_id: str, digest: str) -> str:
    return f"{_folder(session_id)}blocks/{digest}"


def _map(session_id: str, digest: str) -> str:
    return f"{_folder(session_id)}maps/{digest}"


def _snapshot(session_id: str, name: str) -> str:
    return f"{_folder(session_id)}models/{name}"


@contextmanager
def _data_gone() -> Iterator[None]:
    try:
        yield
    except ObjectGone as gone:
        raise DataGone(str(gone)) from gone
