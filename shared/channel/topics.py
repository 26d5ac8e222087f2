"""Topics: what a connection can be subscribed to. The core has `job:<jobId>`; an application can add other kinds.

An application names its kinds in its package's `__init__.py`, such as `TOPICS = ("session",)`, and its `bootstrap.py`
has the function `topic_sources()`, which returns one `TopicSource` for each of them. The application announces what it
appends to a topic with `core().announcer.notice(topic, …)`, right after the append has succeeded. Everything else is
the channel's: subscriptions, missed events, order, limits and pings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from shared.errors import NotFound

if TYPE_CHECKING:
    from shared.log.reader import Frame


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's kind and the id of what it is about: `job` and `job_a01m7…`. Its name on the wire is `job:job_a01m7…`.

    For every kind but `job`, the id is the text that the application gives out, such as `ses_01m7…`.
    """

    kind: str
    id: str

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the topic with this name; its kind is empty if the name has no colon."""
        kind, colon, topic_id = name.partition(":")
        return cls(kind, topic_id) if colon else cls("", name)

    @classmethod
    def of_job(cls, job_id: str) -> Self:
        """Return the topic of a job."""
        return cls("job", job_id)

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class TopicReader(Protocol):
    """Read one topic's events from one position on. It is used by one thread at a time."""

    @property
    def position(self) -> int:
        """Return the number of the last event that was returned."""

    def poll(self) -> Sequence[Frame]:
        """Return the events after `position` that are stored now, each once and in ascending order.

        If the topic no longer has the next events, return a snapshot in their place, whose number is that of the last
        event that it replaces.

        Raises TransientFault if the storage fails.
        """


class TopicSource(Protocol):
    """The topics of one kind. Its methods may read storage; each raises TransientFault if the storage fails."""

    @property
    def kind(self) -> str:
        """Return the first part of the topics' names, such as `session`."""

    def state(self, owner: str, topic_id: str) -> str:
        """Return the state of what the topic is about, for `subscribed`: a job's status, for example.

        Raises:
            NotFound: it does not exist, or has expired.
            Forbidden: it belongs to another user.
        """

    def tail(self, topic_id: str) -> int | None:
        """Return the number of the topic's last event, strongly consistent; 0 if it has none, None if it is gone.

        A ping of each subscribed client calls this: here a source repairs what a process has left undone that died.
        """

    def mark_watched(self, topic_id: str, *, expires_at: int) -> bool:
        """Let the process that appends the next event learn that a connection has subscribed.

        It passes the number that has grown to `Announcements.notice`. The mark expires at `expires_at` (Unix seconds).
        Return False, and do nothing, if the topics of this kind have no marks: then processes that append read the
        subscriptions twice a second, and `subscribe` sends what they append in the first second.
        """

    def reader(self, topic_id: str, *, after: int) -> TopicReader:
        """Return a reader of the events after number `after`, whose reads are strongly consistent."""


class TopicSources:
    """The sources of all kinds of topics. A source is asked for when a topic of its kind is first used."""

    def __init__(self, kinds: Iterable[str], of_kind: Callable[[str], TopicSource]) -> None:
        self._kinds = tuple(kinds)
        self._of_kind = of_kind
        self._sources: dict[str, TopicSource] = {}

    def of(self, topic: Topic) -> TopicSource:
        """Return the source of the topic. Raises NotFound if there is no such kind of topic."""
        if topic.kind not in self._kinds:
            kinds = ", ".join(f"{kind}:<id>" for kind in self._kinds)
            raise NotFound(f"topic {str(topic)[:80]} was not found; topics are: {kinds}")
        if topic.kind not in self._sources:
            self._sources[topic.kind] = self._of_kind(topic.kind)
        return self._sources[topic.kind]
