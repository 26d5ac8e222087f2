"""Notebooks: each lists the research jobs of its owner that are linked to it, as their `projectId`."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import StringConstraints

from shared.errors import Forbidden, NotFound
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import PreparedWrites
from shared.schema import Schema
from shared.ulid import new_ulid

MAX_ENTRIES = 100
"""The most jobs that a notebook lists: the newest. It counts all."""

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class NotebookEntry(Schema):
    """One job of a notebook."""

    job_id: str
    question: str
    status: JobStatus


class Notebook(Schema):
    """A notebook as it is stored. `revision` grows with each write; `jobs` counts the jobs ever linked to it."""

    id: str
    owner: str
    title: Title
    revision: int = 1
    jobs: int = 0
    entries: tuple[NotebookEntry, ...] = ()

    def with_job(self, job: Job) -> Notebook:
        """Return the notebook with the job as it is now; the same notebook if it lists the job like this already."""
        entry = NotebookEntry(job_id=job.id, question=str(job.input.get("question", "")), status=job.status)
        known = [each.job_id for each in self.entries]
        if entry in self.entries:
            return self
        if job.id in known:
            at = known.index(job.id)
            entries, jobs = (*self.entries[:at], entry, *self.entries[at + 1 :]), self.jobs
        else:
            entries, jobs = (*self.entries, entry)[-MAX_ENTRIES:], self.jobs + 1
        return self.model_copy(update={"entries": entries, "jobs": jobs, "revision": self.revision + 1})


class NotebookStore(Protocol):
    """Stores notebooks. Raises StorageThrottled and StorageUnavailable."""

    def get(self, notebook_id: str) -> Notebook | None: ...

    def put_new(self, notebook: Notebook) -> None: ...

    def prepare(self, notebook: Notebook) -> PreparedWrites:
        """Prepare the write of the notebook over its revision before."""


class Notebooks:
    """What owners do with notebooks."""

    def __init__(self, store: NotebookStore) -> None:
        self._store = store

    def create(self, owner: str, title: str, *, milliseconds: int) -> Notebook:
        """Store a new notebook. `milliseconds` is the Unix time of its creation."""
        notebook = Notebook(id=f"nbk_{new_ulid(milliseconds)}", owner=owner, title=title)
        self._store.put_new(notebook)
        return notebook

    def get(self, owner: str, notebook_id: str) -> Notebook:
        """Return the owner's notebook. Raises NotFound and Forbidden."""
        notebook = self._store.get(notebook_id)
        if notebook is None:
            raise NotFound(f"notebook {notebook_id[:64]} was not found")
        if notebook.owner != owner:
            raise Forbidden("this notebook belongs to another user")
        return notebook


class NotebookLinks:
    """Implements LinkedEntities: a job can be linked to a notebook of its owner."""

    def __init__(self, store: NotebookStore) -> None:
        self._store = store

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        """Prepare no condition: the entry in the notebook is a write of the same transaction, and has one."""
        notebook = self._store.get(entity_id)
        return PreparedWrites(()) if notebook is not None and notebook.owner == job.owner else None


class NotebookEntries:
    """Implements SideWrites: the notebook lists the job from its creation, and says how it ended."""

    def __init__(self, store: NotebookStore) -> None:
        self._store = store

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the entry of a new job."""
        return self._entry(job)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the entry of an ended or resumed job; None if the notebook has it like this already."""
        return self._entry(job)

    def _entry(self, job: Job) -> PreparedWrites | None:
        notebook = self._store.get(job.links.project_id) if job.links.project_id else None
        if notebook is None or notebook.owner != job.owner:
            return None
        changed = notebook.with_job(job)
        return None if changed is notebook else self._store.prepare(changed)
