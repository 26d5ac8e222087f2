"""Idempotency keys: a repeated request returns the job of the first request."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol

from shared.jobs.job import Job
from shared.jobs.side_writes import SideWrites
from shared.jobs.store import PreparedWrites
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

    def find(self, owner: str, key: str) -> KeyClaim | None:
        """Return the claim that holds the key, strongly consistent; None if the key is free or has expired."""

    def claiming(self, owner: str, key: str, claim: KeyClaim, *, expires_at: int) -> PreparedWrites:
        """Prepare the claim of the key until `expires_at` (Unix seconds), for the transaction that stores the job.

        The transaction is refused with SideWriteConflict if another claim holds the key.
        """

    def release(self, owner: str, key: str, claim: KeyClaim) -> None:
        """Free the key if `claim` still holds it."""


class ClaimedCreation:
    """Implements SideWrites for one creation with an idempotency key: the claim is written together with the job.

    So a key is claimed exactly if its job was stored. If the transaction was refused because another request has
    claimed the key in the meantime, preparing it again raises KeyTaken.
    """

    def __init__(
        self, side_writes: SideWrites, keys: IdempotencyKeys, owner: str, key: str, claim: KeyClaim, *, expires_at: int
    ) -> None:
        self._side_writes = side_writes
        self._keys = keys
        self._owner = owner
        self._key = key
        self._claim = claim
        self._expires_at = expires_at
        self._refused = False

    def on_creation(self, job: Job) -> PreparedWrites:
        """Prepare the job's side writes and the claim. Raises KeyTaken, and what `side_writes` raises."""
        held_by = self._keys.find(self._owner, self._key) if self._refused else None
        if held_by is not None:
            raise KeyTaken(held_by)
        self._refused = True
        prepared = self._side_writes.on_creation(job)
        claiming = self._keys.claiming(self._owner, self._key, self._claim, expires_at=self._expires_at)
        own = prepared or PreparedWrites(())
        return PreparedWrites((*own.writes, *claiming.writes), own.stored)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the job's own side writes: a claim belongs to a creation only."""
        return self._side_writes.on_transition(job)


def hash_of_request(request: dict[str, Any]) -> str:
    """Return a hash that is equal for requests with equal fields, in any order."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
