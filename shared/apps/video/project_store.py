"""The port that keeps projects, their revisions, the versions of their scenes, and their chats."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.apps.video.job_state import JobState
from shared.apps.video.project import ChatMessage, Project, Revision
from shared.apps.video.scene import ComponentVersion, SceneVersion
from shared.jobs.store import PreparedWrites

MOST_PROJECTS = 200
"""Most projects of one owner."""

MOST_VERSIONS = 90
"""Most versions of scenes and components that one change can have, so that it fits into one transaction."""


class StaleProject(Exception):
    """The project has changed since it was read: read it again, apply the changes again, and try again."""


class TooManyProjects(Exception):
    """The owner has MOST_PROJECTS projects."""


@dataclass(frozen=True, slots=True)
class ProjectWrite:
    """One change of a project, which is stored wholly or not at all.

    `before` is the project as it was read, None for a new one. `after` has the number of `revision`, which is the next
    one. `scenes` and `components` are the versions that the revision adds, and `messages` are added with it.
    """

    before: Project | None
    after: Project
    revision: Revision
    scenes: tuple[SceneVersion, ...] = ()
    components: tuple[ComponentVersion, ...] = ()
    messages: tuple[ChatMessage, ...] = ()

    def __post_init__(self) -> None:
        expected = (self.before.revision if self.before else 0) + 1
        if not expected == self.after.revision == self.revision.number:
            raise ValueError(f"the change makes revision {expected}, not {self.after.revision}/{self.revision.number}")
        if len(self.scenes) + len(self.components) > MOST_VERSIONS:
            raise ValueError(f"a change has at most {MOST_VERSIONS} versions")


class ProjectStore(Protocol):
    """Keep projects. Raises the storage faults of `shared/errors.py`.

    Revisions and versions never change, so they can be kept in caches. What is read is strongly consistent, except the
    lists of revisions and messages of a page that was read before.
    """

    def save(self, write: ProjectWrite, *, also: PreparedWrites | None = None) -> None:
        """Store the change in one transaction, together with the writes `also`.

        Raises:
            StaleProject: the project is not as `before` any more, is being deleted, one of the messages is stored
                already, or a condition of `also` does not hold.
            TooManyProjects: the project is new, and its owner has too many.
        """

    def get(self, project_id: str) -> Project | None:
        """Return the project, also one that is being deleted; None if there is none."""

    def list_of(self, owner: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Project], str | None]:
        """Return a page of the owner's projects, newest first, and the cursor of the next page.

        A project that is being deleted is not in it. Raises ValueError for an invalid cursor.
        """

    def revision(self, project_id: str, number: int) -> Revision | None:
        """Return the revision; None if there is none."""

    def revisions(self, project_id: str, *, limit: int, before: int | None = None) -> Sequence[Revision]:
        """Return up to `limit` revisions with numbers below `before`, newest first."""

    def scenes(self, project_id: str, wanted: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], SceneVersion]:
        """Return these versions of scenes by scene id and version, without those that are not stored."""

    def components(
        self, project_id: str, wanted: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], ComponentVersion]:
        """Return these versions of components by name and version, without those that are not stored."""

    def message(self, project_id: str, message_id: str) -> ChatMessage | None:
        """Return one message; None if there is none."""

    def messages(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        """Return up to `limit` messages with ids below `before`, newest first."""

    def add_message(self, message: ChatMessage, *, also: PreparedWrites | None = None) -> bool:
        """Store a message that goes with no change, such as a question, together with the writes `also`.

        Return False, and store nothing, if a message with its id is stored, the project is deleted, or a condition of
        `also` does not hold.
        """

    def prepare_message(self, message: ChatMessage) -> PreparedWrites:
        """Prepare a new message for a job's transaction. Its condition: the project is stored and not being deleted."""

    def prepare_update(self, message: ChatMessage, *, was: JobState) -> PreparedWrites:
        """Prepare another state of a message, for a job's transaction. Its condition: it is stored as `was`.

        So of an answer and of a cancellation at the same moment, only one is stored.
        """

    def prepare_presence(self, project_id: str) -> PreparedWrites:
        """Prepare a condition that writes nothing, for a job's transaction: the project takes jobs."""

    def hide(self, project: Project) -> None:
        """Mark the project as `deleting`: no list shows it any more, and it takes no change, no message and no job.

        It does not count any more for its owner. It can be repeated.
        """

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of the owner's projects, or with `gone` of those that are being deleted or not yet purged."""

    def delete(self, project_id: str, *, purge_at: datetime) -> None:
        """Remove a hidden project with all that belongs to it. It can be repeated if it fails.

        A note is left, so that from `purge_at` on `deleted` returns its id.
        """

    def deleted(self, now: datetime) -> Sequence[str]:
        """Return the ids of some deleted projects that are to be purged by now; none if none is."""

    def purge(self, project_id: str) -> None:
        """Remove what was stored for a project after its deletion, and the note of it. It can be repeated."""
