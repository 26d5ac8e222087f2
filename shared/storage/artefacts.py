"""Texts too large for an item: kept in S3, a reference in their place."""

from __future__ import annotations

from shared.storage.aws import s3, storage_faults

REFERENCE = "s3:"
INLINE = "text:"


class TextArtefacts:
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

    def drop(self, stored: str) -> None:
        """Delete the text, if it is in the bucket."""
        if stored.startswith(REFERENCE):
            with storage_faults():
                s3().delete_object(Bucket=self._bucket, Key=stored[len(REFERENCE) :])
