"""The topics `session:<sessionId>`: the events of a session, for the connections that follow it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.session import SessionEvent
from shared.apps.sheets.session_store import SessionChange, SessionStore
from shared.channel.announcer import Announcements
from shared.channel.topics import Topic, TopicReader
from shared.log.events import OpaqueEvent
from shared.log.reader import Frame

KIND = "session"
"""The first part of the topics' names."""


def sent(event: SessionEvent) -> OpaqueEvent:
    """Return the event as the channel sends it."""
    return OpaqueEvent.model_validate_json(event.model_dump_json())


def announce(announcer: Announcements, change: SessionChange) -> None:
    """Tell the subscribed connections of a change that was stored."""
    first = change.after.seq - len(change.events) + 1
    announcer.notice(Topic(KIND, change.after.id), first, [sent(event) for event in change.events])


class SessionTopics:
    """The TopicSource of sessions; the port describes the methods."""

    kind = KIND

    def __init__(self, sessions: SessionStore) -> None:
        self._sessions = sessions

    def state(self, owner: str, topic_id: str) -> str:
        return owned_session(self._sessions, owner, topic_id).state.value

    def tail(self, topic_id: str) -> int | None:
        session = self._sessions.get(topic_id)
        return None if session is None else session.seq

    def mark_watched(self, topic_id: str, *, expires_at: int) -> bool:  # noqa: ARG002 - the port's names
        return False

    def reader(self, topic_id: str, *, after: int) -> TopicReader:
        return SessionReader(self._sessions, topic_id, after=after)


class SessionReader:
    """The TopicReader of one session; the port describes the methods.

    Events are kept for a day. A `snapshot` replaces those that are gone. It has no fields: the client reads the session
    again.
    """

    def __init__(self, sessions: SessionStore, session_id: str, *, after: int) -> None:
        self._sessions = sessions
        self._session_id = session_id
        self._position = after

    @property
    def position(self) -> int:
        return self._position

    def poll(self) -> Sequence[Frame]:
        events = self._sessions.events(self._session_id, after=self._position)
        gone = self._position
        if not events:
            # An event may be appended between the two reads, so it is gone only if a third read lacks it too.
            gone = self._tail()
            if gone > self._position:
                events = self._sessions.events(self._session_id, after=self._position)
        if events:
            gone = events[0].seq - 1
        frames = [Frame(gone, OpaqueEvent(type="snapshot"))] if gone > self._position else []
        frames += [Frame(each.seq, sent(each.event)) for each in events]
        self._position = frames[-1].id if frames else self._position
        return frames

    def _tail(self) -> int:
        """Return the number of the session's last event."""
        session = self._sessions.get(self._session_id)
        return 0 if session is None else session.seq
