"""Texts too large for an item: kept in S3, a reference in their place."""

from __future__ import annotations

from shared.storage.aws import s3, storage_faults

REFERENCE = "s3:"
INLINE = "text:"


class TextArtefacts:
    """Keeps texts inline up to `inline_bytes` and in the bucket beyond (row C9: large artefacts by reference)."""

    def __init__(self, bucket: str, *, inline_bytes: int = 100_000) -> None:
        self._bucket = bucket
        self._inline_bytes = inline_bytes

    def keep(self, job_id: str, name: str, text: str) -> str:
        """What to store in the item: the text, marked, or a reference to it."""
        data = text.encode()
        if len(data) <= self._inline_bytes:
            return INLINE + text
        key = f"jobs/{job_id}/{name}"
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
