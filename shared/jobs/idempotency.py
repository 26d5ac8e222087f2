"""Idempotency keys: a repeated request gets the first one's job."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

from shared.schema import Schema


class KeyClaim(Schema):
    """A key in use: by the job it made (or is making since `claimed_at`, Unix seconds), for one request body."""

    job_id: str
    request_hash: str
    claimed_at: float


class KeyTaken(Exception):
    """The key is in use by `claim`."""

    def __init__(self, claim: KeyClaim) -> None:
        super().__init__("idempotency key in use")
        self.claim = claim


class IdempotencyKeys(Protocol):
    """Keys per owner."""

    def claim(
        self, owner: str, key: str, claim: KeyClaim, *, expires_at: int, replaces: KeyClaim | None = None
    ) -> None:
        """Take a free or expired key (or the one held by `replaces`); raise KeyTaken otherwise."""

    def release(self, owner: str, key: str, claim: KeyClaim) -> None:
        """Free the key if it is still held by `claim`."""


def hash_of_request(request: dict[str, Any]) -> str:
    """Equal for requests that mean the same."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
