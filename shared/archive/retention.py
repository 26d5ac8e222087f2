"""How long archived jobs are kept, and which of them are kept as long as what they are linked to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from shared.archive.record import ArchivedHead, Retention
from shared.jobs.job import Job, LinkKind


@dataclass(frozen=True, slots=True)
class ArchiveDays:
    """For how many whole days records of each retention are kept; with 0, none are written and none are read."""

    standard: int = 30
    linked: int = 3650

    def of(self, retention: Retention) -> int:
        """Return for how many days records of this retention are kept."""
        return self.linked if retention == "linked" else self.standard

    @property
    def kept(self) -> tuple[Retention, ...]:
        """Return the retentions whose records are kept at all."""
        each: tuple[Retention, ...] = ("standard", "linked")
        return tuple(retention for retention in each if self.of(retention) > 0)

    def expires_at(self, head: ArchivedHead) -> datetime:
        """Return when the record is deleted: S3 rounds the time up to the next midnight in UTC."""
        kept_until = head.archived_at.astimezone(UTC) + timedelta(days=self.of(head.retention))
        return datetime.combine(kept_until.date() + timedelta(days=1), time(), UTC)


class RetentionRule:
    """Choose the retention of a job. `owners_of` returns the applications, or the core, that own links of a kind."""

    def __init__(self, owners_of: Callable[[LinkKind, str], Iterable[object]]) -> None:
        self._owners_of = owners_of

    def of(self, job: Job) -> Retention:
        """Return `linked` if the job is linked to something that can be deleted here, and `standard` otherwise.

        A link whose kind no application owns is the client's own text: nothing would ever delete the record.
        """
        owned = (kind for kind in job.links.by_kind() if any(True for _ in self._owners_of(kind, job.pipeline)))
        return "linked" if next(owned, None) is not None else "standard"
