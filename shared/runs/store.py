"""The port to stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.jobs.store import PreparedWrites
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs, newest first; `cursor` is None on the last page."""

    runs: Sequence[Run]
    cursor: str | None


class RunStore(Protocol):
    """Where runs are kept, for good."""

    def get(self, run_id: str) -> Run | None: ...

    def transform(self, run_id: str, transform_id: str) -> Transform | None: ...

    def lineage(self, run_id: str) -> Lineage | None: ...

    def list_owned(
        self, owner: str, *, kind: str, status: TransformStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        """None of those being deleted. Raises ValueError for a cursor this store did not issue."""

    def prepare_creation(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        """The write of a new run, its transform and its first artefacts, to be made together with a job's."""

    def prepare_revision(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        """The write of a run's next revision, of its transform and of new artefacts, to be made together with a job's.

        It is refused when the stored run is not of the revision before, is being deleted, or is gone.
        """

    def hide(self, run_id: str) -> None:
        """Take the run out of every list, and let no move fit it any more; it is `deleting` from now on."""

    def remove(self, run_id: str) -> None:
        """Remove all there is of a hidden run. Can be repeated until it gets through."""
