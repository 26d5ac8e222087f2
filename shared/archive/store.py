"""The ports to archived jobs and to the usage ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from shared.archive.record import ArchivedHead, ArchivedJob
from shared.jobs.job import LinkKind


class ArchiveStore(Protocol):
    """Store one record for each archived job. Raises the storage faults of `shared/errors.py`.

    A record that cannot be read, or that belongs to another owner or job, is logged and does not exist.
    """

    def put(self, record: ArchivedJob) -> None:
        """Store the record and list it under the job's links, unless a newer one of the job is stored (see `rank`)."""

    def get(self, owner: str, job_id: str) -> ArchivedJob | None:
        """Return the record of the owner's job; None if there is none."""

    def page(self, owner: str, month: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of up to `limit` archived jobs that the owner created in the month, such as `2026-11`.

        They are in the order of their creation; `after` is the id after which they begin.
        """

    def heads(self, owner: str, job_ids: Sequence[str]) -> Sequence[ArchivedHead]:
        """Return the heads of the records of these jobs, in the same order, without those that do not exist."""

    def linked(self, owner: str, kind: LinkKind, entity_id: str, *, after: str | None = None) -> Iterator[str]:
        """Yield the ids of the owner's archived jobs that are linked to this entity, in the order of their creation."""

    def erase(self, owner: str, job_id: str) -> None:
        """Delete the job's record and its places under its links. It can be repeated."""

    def erase_place(self, owner: str, kind: LinkKind, entity_id: str, job_id: str) -> None:
        """Delete the job's place under a link, also if no record is stored that names the link."""

    def every_id(self, owner: str) -> Iterator[str]:
        """Yield the ids of all of the owner's archived jobs, also expired ones. The caller may erase each of them."""

    def erase_places(self, owner: str) -> int:
        """Delete all of the owner's places under links, with records or without; return how many there were."""


class UsageLedger(Protocol):
    """Store lines of the usage ledger, which contain nothing of a job's input and output."""

    def put(self, day: str, name: str, lines: Sequence[str]) -> None:
        """Store lines of JSON of one day, such as `2026-11-26`. The same name replaces what it named before."""


class OwnerKeys(Protocol):
    """Keep a secret key for each owner. Without it, no reader can tell whose the ledger's pseudonym is."""

    def of(self, owner: str, *, create: bool) -> bytes | None:
        """Return the owner's key. If there is none, make it, or return None without `create`."""

    def erase(self, owner: str) -> bool:
        """Delete the owner's key; return whether there was one."""
