"""Store binary objects in S3, and let clients write and read single ones by signed URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from shared.observability import metering
from shared.observability.metering import Count
from shared.storage.aws import s3, storage_faults

AT_ONCE = 32
"""How many objects of a call are sent or read at the same time, at most."""

DELETED_AT_ONCE = 1000
"""How many objects S3 deletes with one request, at most."""

MISSING = frozenset({"NoSuchKey", "404", "NotFound", "AccessDenied", "403"})
"""Codes with which S3 refuses to read an object that may be missing: without permission to list, it says 403."""

T = TypeVar("T")
U = TypeVar("U")


class ObjectGone(Exception):
    """The object is not stored."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object: its size in bytes, the tag of its content, and when it was stored."""

    key: str
    size: int
    etag: str
    stored_at: datetime


class Objects:
    """The objects of one bucket. Raises the storage faults of `shared/errors.py`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """Store objects by key, several at a time."""
        at_once(lambda item: self.put(*item), list(contents.items()))

    def put(self, key: str, content: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store an object."""
        _count(len(content))
        with storage_faults():
            s3().put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    def upload(self, key: str, file: Path, *, content_type: str) -> None:
        """Store a local file."""
        _count(file.stat().st_size)
        with file.open("rb") as body, storage_faults():
            s3().put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)

    def get_all(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """Return objects by key, several read at a time. Raises ObjectGone if one is not stored."""
        asked = list(keys)
        return dict(zip(asked, at_once(self.get, asked), strict=True))

    def get(self, key: str, *, most: int | None = None) -> bytes:
        """Return an object, at most its first `most` bytes. Raises ObjectGone if it is not stored."""
        with self._gone(key):
            return s3().get_object(Bucket=self._bucket, Key=key)["Body"].read(most)

    def download(self, key: str, to: Path) -> None:
        """Write an object to a local file. Raises ObjectGone if it is not stored."""
        with self._gone(key):
            body = s3().get_object(Bucket=self._bucket, Key=key)["Body"]
            with to.open("wb") as file:
                for chunk in body.iter_chunks(1 << 20):
                    file.write(chunk)

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known about an object; None if it is not stored."""
        try:
            with self._gone(key):
                found = s3().head_object(Bucket=self._bucket, Key=key)
        except ObjectGone:
            return None
        return ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'), found["LastModified"])

    def missing(self, keys: Iterable[str]) -> Sequence[str]:
        """Return those of the keys that are not stored."""
        asked = list(keys)
        return [key for key, found in zip(asked, at_once(self.info, asked), strict=True) if found is None]

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with the prefix."""
        with storage_faults():
            for page in s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for found in page.get("Contents", ()):
                    yield ObjectInfo(found["Key"], found["Size"], found["ETag"].strip('"'), found["LastModified"])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not stored are ignored."""
        for start in range(0, len(keys), DELETED_AT_ONCE):
            asked: Any = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
            with storage_faults():
                s3().delete_objects(Bucket=self._bucket, Delete={"Objects": asked, "Quiet": True})

    def put_url(self, key: str, *, size: int, content_type: str, seconds: int) -> str:
        """Return a URL for one PUT of exactly `size` bytes of this type, valid for this many seconds."""
        asked = {"Bucket": self._bucket, "Key": key, "ContentLength": size, "ContentType": content_type}
        with storage_faults():
            return s3().generate_presigned_url("put_object", Params=asked, ExpiresIn=seconds)

    def post_form(self, key: str, *, size: int, content_type: str, seconds: int) -> tuple[str, Mapping[str, str]]:
        """Return the URL and the fields of a form that a browser sends, valid for this many seconds.

        Its signed policy lets it store one file of exactly `size` bytes under this key and type, and nothing else.
        """
        conditions: list[Any] = [{"Content-Type": content_type}, ["content-length-range", size, size]]
        with storage_faults():
            form = s3().generate_presigned_post(
                self._bucket, key, Fields={"Content-Type": content_type}, Conditions=conditions, ExpiresIn=seconds
            )
        return form["url"], form["fields"]

    def get_url(self, key: str, *, name: str, seconds: int) -> str:
        """Return a URL that is valid for this many seconds, from which a browser saves the object under this name."""
        shown = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        asked = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": shown}
        with storage_faults():
            return s3().generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)

    @contextmanager
    def _gone(self, key: str) -> Iterator[None]:
        """Raise ObjectGone if S3 refuses to read the object because it is not stored."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as in shared/storage/aws.py

        try:
            with storage_faults():
                yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in MISSING or self._is_listed(key):
                raise
            raise ObjectGone(key) from error

    def _is_listed(self, key: str) -> bool:
        """Return whether the object is in the bucket's list: then it may not be read, and S3 says so rightly."""
        with storage_faults():
            found = s3().list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in found.get("Contents", ()))


def _count(size: int) -> None:
    metering.count(Count.STORED_OBJECTS)
    metering.count(Count.STORED_BYTES, size)


def at_once(act: Callable[[T], U], items: Sequence[T]) -> Sequence[U]:
    """Return `act` of each item, up to AT_ONCE at the same time. If one fails, wait for the others and raise that."""
    if len(items) <= 1:
        return [act(item) for item in items]
    contexts = [copy_context() for _ in items]  # so that each act is counted where this function was called
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
        return list(pool.map(lambda context, item: context.run(act, item), contexts, items))
