"""The ports that keep the data of workbooks and the files of sessions, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from shared.apps.sheets.session_store import DataGone, FileInfo, Retained, UploadUrl, VersionData
from shared.clock import Clock
from tests.fakes.clock import SettableClock


class FakeWorkbookData:
    """Implements WorkbookData and SessionFiles.

    `objects` has everything by its key, as the bucket has. `before_put` is called before each object is stored: a test
    can raise an error there, as a process that is killed in the middle of a version.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SettableClock()
        self.objects: dict[str, bytes] = {}
        self.stored_at: dict[str, datetime] = {}
        self.before_put: Callable[[str], None] = lambda key: None

    def store(self, session_id: str, version: VersionData) -> str:
        snapshot = f"{version.engine}-{hashlib.sha256(version.snapshot).hexdigest()[:24]}"
        for digest, content in version.blocks.items():
            self._put(f"sheets/{session_id}/blocks/{digest}", content)
        self._put(f"sheets/{session_id}/models/{snapshot}", version.snapshot)
        self._put(f"sheets/{session_id}/maps/{version.map_digest}", version.map)
        return snapshot

    def block(self, session_id: str, digest: str) -> bytes:
        return self._get(f"sheets/{session_id}/blocks/{digest}")

    def blocks(self, session_id: str, digests: Iterable[str]) -> Mapping[str, bytes]:
        return {digest: self.block(session_id, digest) for digest in digests}

    def map(self, session_id: str, digest: str) -> bytes:
        return self._get(f"sheets/{session_id}/maps/{digest}")

    def snapshot(self, session_id: str, name: str) -> bytes:
        return self._get(f"sheets/{session_id}/models/{name}")

    def missing(
        self, session_id: str, *, maps: Iterable[str] = (), snapshots: Iterable[str] = (), blocks: Iterable[str] = ()
    ) -> Sequence[str]:
        asked = {"maps": maps, "models": snapshots, "blocks": blocks}
        return [
            name
            for folder, names in asked.items()
            for name in names
            if f"sheets/{session_id}/{folder}/{name}" not in self.objects
        ]

    def thin(self, session_id: str, keep: Retained, *, before: datetime) -> int:
        kept = {"blocks": keep.blocks, "maps": keep.maps, "models": keep.snapshots}
        gone = [
            key
            for folder, names in kept.items()
            for key in self._under(f"sheets/{session_id}/{folder}/")
            if key.rsplit("/", 1)[1] not in names and self.stored_at[key] < before
        ]
        for key in gone:
            del self.objects[key]
        return len(gone)

    def delete(self, session_id: str) -> None:
        for key in self._under(f"sheets/{session_id}/"):
            del self.objects[key]

    def upload_url(self, key: str, *, size: int, content_type: str) -> UploadUrl:
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        return UploadUrl(f"https://bucket.test/{key}", headers, self._clock() + timedelta(minutes=15))

    def info(self, key: str) -> FileInfo | None:
        content = self.objects.get(key)
        return None if content is None else FileInfo(len(content), hashlib.md5(content).hexdigest())

    def download(self, key: str, to: Path) -> None:
        to.write_bytes(self._get(key))

    def upload(self, key: str, file: Path, *, content_type: str) -> None:
        self._put(key, file.read_bytes())

    def download_url(self, key: str, *, name: str) -> str:
        return f"https://bucket.test/{key}?name={name}"

    def _put(self, key: str, content: bytes) -> None:
        self.before_put(key)
        self.objects[key] = content
        self.stored_at[key] = self._clock()

    def _get(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise DataGone(key) from None

    def _under(self, prefix: str) -> list[str]:
        return [key for key in self.objects if key.startswith(prefix)]
