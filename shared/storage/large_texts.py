"""Store texts that are too large for a DynamoDB item in S3, with a reference in the item."""

from __future__ import annotations

from shared.observability import metering
from shared.observability.metering import Count
from shared.storage.aws import s3, storage_faults

REFERENCE = "s3:"
"""Prefix of a reference to a text in the bucket."""

INLINE = "text:"
"""Prefix of a text that is stored in the item itself."""


class LargeTexts:
    """Store texts of up to `inline_bytes` in their DynamoDB item, and longer ones in the bucket under `folder`.

    Texts under `jobs/` expire by the bucket's lifecycle rule.
    """

    def __init__(self, bucket: str, *, folder: str = "jobs", inline_bytes: int = 100_000) -> None:
        self._bucket = bucket
        self._folder = folder
        self._inline_bytes = inline_bytes

    def store(self, entity_id: str, name: str, text: str) -> str:
        """Store the text of a job or run, and return the value for its item: the text with a prefix, or a reference."""
        data = text.encode()
        metering.count(Count.STORED_BYTES, len(data))
        if len(data) <= self._inline_bytes:
            return INLINE + text
        key = f"{self._folder}/{entity_id}/{name}"
        metering.count(Count.STORED_OBJECTS)
        with storage_faults():
            s3().put_object(Bucket=self._bucket, Key=key, Body=data, ContentType="text/plain; charset=utf-8")
        return REFERENCE + key

    def load(self, stored: str) -> str:
        """Return the text for which `store` returned this value."""
        if stored.startswith(INLINE):
            return stored[len(INLINE) :]
        with storage_faults():
            found = s3().get_object(Bucket=self._bucket, Key=stored[len(REFERENCE) :])
            return found["Body"].read().decode()

    def delete_all(self, entity_id: str, *, names: str = "") -> None:
        """Delete the texts of the job or run whose names begin with `names`, even those to which no item refers."""
        pages = s3().get_paginator("list_objects_v2")
        with storage_faults():
            for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._folder}/{entity_id}/{names}"):
                for found in page.get("Contents", ()):
                    s3().delete_object(Bucket=self._bucket, Key=found["Key"])
