"""Idempotency keys: a repeated request returns the job of the first request."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

from shared.schema import Schema


class KeyClaim(Schema):
    """The use of a key: the job that its request creates, the hash of that request, and when (Unix seconds)."""

    job_id: str
    request_hash: str
    claimed_at: float


class KeyTaken(Exception):
    """Another request has claimed the key; `claim` is its claim."""

    def __init__(self, claim: KeyClaim) -> None:
        super().__init__("the idempotency key is in use")
        self.claim = claim


class IdempotencyKeys(Protocol):
    """Store the idempotency keys of each owner."""

    def claim(
        self, owner: str, key: str, claim: KeyClaim, *, expires_at: int, replaces: KeyClaim | None = None
    ) -> None:
        """Claim the key until `expires_at` (Unix seconds), if it is free, has expired or has the claim `replaces`.

        Raises KeyTaken if another claim holds the key.
        """

    def release(self, owner: str, key: str, claim: KeyClaim) -> None:
        """Free the key if `claim` still holds it."""


def hash_of_request(request: dict[str, Any]) -> str:
    """Return a hash that is equal for requests with equal fields, in any order."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
