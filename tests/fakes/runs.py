"""The run store port, in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from shared.jobs.ids import RUN_ID
from shared.jobs.store import PreparedWrites
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage
from tests.fakes.transactions import FakeWrite


class FakeRunStore:
    """Implements RunStore. It stores everything as JSON, so that a read never returns the object that was written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, str] = {}
        self._removed: dict[str, str] = {}
        self._transforms: dict[str, dict[str, str]] = {}
        self._artefacts: dict[str, dict[str, str]] = {}

    def get(self, run_id: str) -> Run | None:
        with self._lock:
            return self._run(run_id)

    def transform(self, run_id: str, transform_id: str) -> Transform | None:
        with self._lock:
            text = self._transforms.get(run_id, {}).get(transform_id)
            return None if text is None else Transform.model_validate_json(text)

    def lineage(self, run_id: str) -> Lineage | None:
        with self._lock:
            run = self._run(run_id)
            if run is None:
                return None
            transforms = sorted(self._transforms.get(run_id, {}).items())
            artefacts = sorted(
                (Artefact.model_validate_json(text) for text in self._artefacts.get(run_id, {}).values()),
                key=lambda each: (each.role, each.version),
            )
            return Lineage(run, [Transform.model_validate_json(text) for _, text in transforms], artefacts)

    def job_ids(self, run_id: str) -> Sequence[str]:
        with self._lock:
            transforms = (Transform.model_validate_json(text) for text in self._transforms.get(run_id, {}).values())
            return [each.job_id for each in sorted(transforms, key=lambda each: each.id) if each.job_id is not None]

    def list_owned(
        self, owner: str, *, kind: str, status: TransformStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        with self._lock:
            if cursor is not None and not RUN_ID.fullmatch(cursor):
                raise ValueError("not a cursor of this store")
            ids = sorted((each for each in self._runs if cursor is None or each < cursor), reverse=True)
            runs = [run for run in map(self._run, ids) if run is not None and not run.deleting]
            found = [run for run in runs if (run.owner, run.kind) == (owner, kind) and status in {None, run.status}]
            return RunPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def prepare_creation(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        return self._writing(lambda: run.id not in self._runs, run, transform, artefacts)

    def prepare_revision(self, run: Run, transform: Transform, artefacts: Sequence[Artefact]) -> PreparedWrites:
        def fits() -> bool:
            existing = self._run(run.id)
            return existing is not None and not existing.deleting and existing.revision == run.revision - 1

        return self._writing(fits, run, transform, artefacts)

    def prepare_presence(self, run_id: str) -> PreparedWrites:
        def fits() -> bool:
            existing = self._run(run_id)
            return existing is not None and not existing.deleting

        return PreparedWrites((FakeWrite(run_id, self._lock, fits),))

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        with self._lock:
            runs = [run for run in map(self._run, self._runs) if run is not None and run.owner == owner]
            removed = [run_id for run_id, each in self._removed.items() if each == owner] if gone else []
            return iter(sorted({*(run.id for run in runs if run.deleting is gone), *removed}, reverse=True))

    def hide(self, run_id: str) -> None:
        with self._lock:
            run = self._run(run_id)
            if run is not None:
                self._runs[run_id] = run.model_copy(update={"deleting": True}).model_dump_json()

    def remove(self, run_id: str) -> None:
        with self._lock:
            self._artefacts.pop(run_id, None)
            self._transforms.pop(run_id, None)
            text = self._runs.pop(run_id, None)
            if text is not None:
                self._removed[run_id] = Run.model_validate_json(text).owner

    def purge(self, run_id: str) -> None:
        self.remove(run_id)
        with self._lock:
            self._removed.pop(run_id, None)

    def _writing(
        self, fits: Callable[[], bool], run: Run, transform: Transform, artefacts: Sequence[Artefact]
    ) -> PreparedWrites:
        """Return one write of the run, its transform and its artefacts."""

        def all_fit() -> bool:
            stored = self._artefacts.get(run.id, {})
            return fits() and not any(each.ref in stored for each in artefacts)

        def write() -> None:
            self._runs[run.id] = run.model_dump_json()
            self._transforms.setdefault(run.id, {})[transform.id] = transform.model_dump_json()
            new = {artefact.ref: artefact.model_dump_json() for artefact in artefacts}
            self._artefacts.setdefault(run.id, {}).update(new)

        return PreparedWrites((FakeWrite(run.id, self._lock, all_fit, write),))

    def _run(self, run_id: str) -> Run | None:
        text = self._runs.get(run_id)
        return None if text is None else Run.model_validate_json(text)
