"""The port to stored runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.jobs.store import PreparedWrites
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs, newest first; `cursor` is None on the last page.

    A page with a cursor may have fewer runs than its limit, or none, if few runs match the filter.
    """

    runs: Sequence[Run]
    cursor: str | None


class RunStore(Protocol):
    """Store runs, which do not expire. All reads except the list are strongly consistent."""

    def get(self, run_id: str) -> Run | None:
        """Return the run."""

    def transform(self, run_id: str, transform_id: str) -> Transform | None:
        """Return one transform of the run."""

    def lineage(self, run_id: str) -> Lineage | None:
        """Return the run with all of its transforms and artefacts."""

    def job_ids(self, run_id: str) -> Sequence[str]:
        """Return the ids of the jobs of the run's transforms, in their order; none if the run is not stored."""

    def list_owned(
        self, owner: str, *, kind: str, status: TransformStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        """Return a page of the owner's runs, newest first, without those that are being deleted.

        Raises ValueError for an invalid cursor.
        """

    def prepare_creation(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        """Prepare the writes of a new run, its transform and its first artefacts, for the job's transaction."""

    def prepare_revision(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        """Prepare the writes of the run's next revision, its transform and new artefacts, for the job's transaction.

        Their condition: the run is stored with revision `run.revision - 1` and is not being deleted.
        """

    def prepare_presence(self, run_id: str) -> PreparedWrites:
        """Prepare a condition that writes nothing, for a job's transaction: the run is stored and not being deleted."""

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of all runs of the owner, or with `gone` of those whose deletion has begun or ended.

        A run is yielded with `gone` until `purge`, or for a day. The latest changes may be missing.
        """

    def hide(self, run_id: str) -> None:
        """Mark the run as `deleting`: no list shows it any more, and no job can change it."""

    def remove(self, run_id: str) -> None:
        """Remove a hidden run with all of its transforms and artefacts. It can be repeated if it fails.

        For a day it is stored that there was the run, and whose it was.
        """

    def purge(self, run_id: str) -> None:
        """Remove everything that is still stored of a removed run. It can be repeated if it fails.

        A request that prepares a revision while the run is removed may store a large content after that. Call this
        when no such request can still run.
        """
