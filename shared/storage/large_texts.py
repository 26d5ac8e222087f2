"""Texts too large for an item: kept in S3, a reference in their place."""

from __future__ import annotations

from shared.storage.aws import s3, storage_faults

REFERENCE = "s3:"
INLINE = "text:"


class LargeTexts:
    """Keeps texts inline up to `inline_bytes` and in the bucket beyond (row C9: large artefacts by reference).

    What is under `jobs/` expires by the bucket's lifecycle.
    """

    def __init__(self, bucket: str, *, folder: str = "jobs", inline_bytes: int = 100_000) -> None:
        self._bucket = bucket
        self._folder = folder
        self._inline_bytes = inline_bytes

    def keep(self, owner_id: str, name: str, text: str) -> str:
        """What to store in the item of the job or run: the text, marked, or a reference to it."""
        data = text.encode()
        if len(data) <= self._inline_bytes:
            return INLINE + text
        key = f"{self._folder}/{owner_id}/{name}"
        with storage_faults():
            s3().put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="text/plain; charset=utf-8")
        return REFERENCE + key

    def resolve(self, stored: str) -> str:
        """The text that `keep` was given."""
        if stored.startswith(INLINE):
            return stored[len(INLINE) :]
        with storage_faults():
            found = s3().get_object(Bucket=self._bucket, Key=stored[len(REFERENCE) :])
            return found["Body"].read().decode()

    def drop_all(self, owner_id: str) -> None:
        """Delete every text of the job or run that is in the bucket, also those no item ever came to refer to."""
        pages = s3().get_paginator("list_objects_v2")
        with storage_faults():
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._folder}/{owner_id}/"):
                for found in page.get("Contents", ()):
                    s3().delete_object(Bucket=self._bucket, Key=found["Key"])
