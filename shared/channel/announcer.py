"""Send each appended event to the connections that are subscribed to its topic, without delaying the append.

The process that appends an event tells its announcer. The log is the queue: an announcer keeps the newest events only,
and it tells a connection that is further behind to subscribe again. If a process dies, the next ping of each client
repairs what its announcer did not send.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from shared.channel.posts import ChannelPosts, ConnectionGone
from shared.channel.sizes import MAX_EVENT_BYTES, MAX_EVENTS
from shared.channel.subscriptions import Subscription, SubscriptionStore
from shared.channel.topics import Topic, TopicSources
from shared.errors import TransientFault
from shared.log.events import TERMINAL, StreamEvent
from shared.observability.log import log

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from shared.channel.pages import SentEvent

REFRESH_SECONDS = 0.5
"""The subscriptions of a topic without marks are read at most this often. `subscribe` sends new events for twice this
time."""

FIRST_REFRESH_SECONDS = 0.1
"""A new topic's subscriptions are read again after this time, because clients subscribe soon after they open a page.
Each time is twice the one before, up to REFRESH_SECONDS."""

WATCHED_REFRESH_SECONDS = 2.0
"""The subscriptions of a topic with marks are read at most this often, to learn which of them are gone. A mark tells of
a new one, and then they are read at once."""

BETWEEN_POSTS_SECONDS = 0.1
"""The least time between two posts of one topic to one connection, on average."""

EARLY_SECONDS = 0.05
"""By how much one post may be earlier. Otherwise text that is appended every 100 ms would wait for its turn."""

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 2.0
"""How long to wait after a post that was refused: the first time, and at most. Each time takes twice as long."""

FORGOTTEN_SECONDS = 10.0
"""A topic without a new event is forgotten after this time, if everything was sent."""

POSTING_THREADS = 8
"""How many posts a process may have in flight, of all connections together."""


class Announcements(Protocol):
    """Tell the subscribed connections what was appended to a topic."""

    def notice(
        self, topic: Topic, first: int, events: Sequence[StreamEvent | None], *, watched: int | None = None
    ) -> None:
        """Note events that were appended to the topic, with the numbers from `first` on.

        None means an event that the announcer has to read from the topic's source. `watched` grows with each new
        subscription before the events. If it is None, the topic has no marks (see `TopicSource.mark_watched`), and the
        announcer reads the subscriptions again and again. Call this after the append has succeeded. It takes
        microseconds, and it never raises.
        """

    def flush(self, seconds: float) -> None:
        """Wait until everything was sent, at most this long. Call this at the end of an invocation."""

    def close(self) -> None:
        """Send nothing more. Pings repair what was not sent.

        Only tests call this: Lambda freezes or kills a process and does not tell it.
        """


class NoAnnouncements:
    """The Announcements of a function that has no channel: they do nothing."""

    def notice(
        self, topic: Topic, first: int, events: Sequence[StreamEvent | None], *, watched: int | None = None
    ) -> None:
        pass

    def flush(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


# Plain classes: to define a dataclass takes a millisecond, and every function that appends events imports these.


class _Noticed:
    """One event in the ring; `sent` is filled when the event is first sent."""

    def __init__(self, seq: int, event: StreamEvent | None) -> None:
        self.seq = seq
        self.event = event
        self.sent: SentEvent | None = None

    @property
    def ends(self) -> bool:
        return self.event is None or self.event.type in TERMINAL


class _Watcher:
    """A connection that is subscribed to a topic, and the number of the last event that it was sent."""

    def __init__(self, connection_id: str, position: int) -> None:
        self.connection_id = connection_id
        self.position = position
        self.next_at = 0.0
        self._paced_until = 0.0

    def note_post(self, at: float) -> None:
        """Set when the next post may begin, after one that has begun at `at`."""
        self._paced_until = max(self._paced_until, at) + BETWEEN_POSTS_SECONDS
        self.next_at = self._paced_until - EARLY_SECONDS


class _Line:
    """What all posts to one connection have in common."""

    def __init__(self) -> None:
        self.in_flight = False
        self.backoff = 0.0
        self.blocked_until = 0.0

    def block(self, now: float) -> None:
        """Let the connection wait after a failed post: twice as long as the last time, with jitter."""
        self.backoff = min(LONGEST_BACKOFF_SECONDS, max(FIRST_BACKOFF_SECONDS, 2 * self.backoff))
        self.blocked_until = now + self.backoff * random.uniform(0.5, 1)  # noqa: S311 - not a secret


class _TopicState:
    """The newest events of a topic, and its watchers. `dropped` is the number of the last event that left the ring."""

    def __init__(self, topic: Topic, *, begin: int, at: float) -> None:
        self.topic = topic
        self.begin = begin
        self.began_at = at
        self.ring: deque[_Noticed] = deque()
        self.ring_bytes = 0
        self.dropped = begin - 1
        self.watchers: dict[str, _Watcher] = {}
        self.noticed_at = 0.0
        self.watched: int | None = None
        self.refreshed_at: float | None = None
        self.refreshing = False
        self.is_marked = False  # by a subscription that this process has not read
        self.is_stale = False
        self.is_unknown = True  # since the last failure to read the subscriptions, or from the beginning

    @property
    def tail(self) -> int:
        return self.ring[-1].seq if self.ring else self.dropped

    @property
    def refresh_due_at(self) -> float:
        if self.refreshed_at is None or self.is_marked:
            return 0.0
        if self.watched is not None and not self.is_unknown:
            return self.refreshed_at + WATCHED_REFRESH_SECONDS
        age = self.refreshed_at - self.began_at
        return self.refreshed_at + min(REFRESH_SECONDS, max(FIRST_REFRESH_SECONDS, age))

    def take(self, first: int, events: Sequence[StreamEvent | None], watched: int | None) -> None:
        """Add the events, and decide whether the subscriptions have to be read again."""
        for seq, event in enumerate(events, start=first):
            self.add(_Noticed(seq, event))
        if watched is None:
            self.is_stale = True
        elif watched > (self.watched or 0):
            self.watched = watched
            self.is_stale = self.is_marked = self.is_unknown = True
        elif self.watchers:
            self.is_stale = True
        elif not (self.is_stale or self.refreshing):
            self.forget_up_to(self.tail)

    def add(self, noticed: _Noticed) -> None:
        """Append the event, and drop the oldest one if one message could not hold them all."""
        self.ring.append(noticed)
        if len(self.ring) > MAX_EVENTS:
            self._drop_oldest()

    def encode(self) -> None:
        """Encode the events for sending, and drop the oldest ones beyond the bytes that one message may hold."""
        from shared.channel.pages import SentEvent  # noqa: PLC0415 - only for a topic with watchers

        for noticed in self.ring:
            if noticed.sent is None and noticed.event is not None:
                noticed.sent = SentEvent.of(self.topic, noticed.seq, noticed.event)
                self.ring_bytes += noticed.sent.size
        while self.ring_bytes > MAX_EVENT_BYTES and len(self.ring) > 1:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self.ring.popleft()
        self.ring_bytes -= 0 if oldest.sent is None else oldest.sent.size
        self.dropped = oldest.seq

    def forget_up_to(self, seq: int) -> None:
        """Drop the events up to `seq`: a later subscriber gets them from the function that subscribes it."""
        while self.ring and self.ring[0].seq <= seq:
            self._drop_oldest()
        self.begin = max(self.begin, seq + 1)

    def lacks(self, watcher: _Watcher) -> bool:
        return self.tail > watcher.position

    def keep_only(self, subscriptions: Sequence[Subscription]) -> None:
        """Begin to watch new subscriptions, and forget those that are gone."""
        before = self.watchers
        self.watchers = {
            each.connection_id: before.get(each.connection_id)
            # Other processes have sent what was appended before this one appended its first event.
            or _Watcher(each.connection_id, max(each.position, self.begin - 1))
            for each in subscriptions
        }


class Announcer:
    """The Announcements of one process: one thread finds what is due, and a few others send it.

    Per connection one post is in flight at a time, of everything that the connection lacks. So a slow connection gets
    fewer and larger messages, and delays no other. `submit` runs a function now or later, in any thread; tests give one
    of their own and call `step` themselves.
    """

    def __init__(
        self,
        *,
        sources: TopicSources,
        subscriptions: SubscriptionStore,
        posts: ChannelPosts,
        remove: Callable[[str, str], None],
        monotonic: Callable[[], float] = time.monotonic,
        submit: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """`remove(connection_id, topic)` removes a connection that has ended, with its slot and its subscriptions.

        It is subscribed to the topic, also if it was removed before: `subscribe` may have stored that later.
        """
        self._sources = sources
        self._subscriptions = subscriptions
        self._posts = posts
        self._remove = remove
        self._monotonic = monotonic
        self._given_submit = submit
        self._changed = threading.Condition()
        self._wake = False
        self._closed = False
        self._flushing = 0
        self._thread: threading.Thread | None = None
        self._inbox: deque[tuple[Topic, int, Sequence[StreamEvent | None], int | None]] = deque()
        self._topics: dict[Topic, _TopicState] = {}
        self._lines: dict[str, _Line] = {}

    # ---- for those who append ------------------------------------------------------------------------------------

    def notice(
        self, topic: Topic, first: int, events: Sequence[StreamEvent | None], *, watched: int | None = None
    ) -> None:
        try:
            self._inbox.append((topic, first, events, watched))
            if not self._looks_soon(topic):
                self._signal()
        except Exception as error:  # noqa: BLE001 - the append has succeeded; pings send what this leaves out
            log.defect("event not announced", error, topic=str(topic))

    def _looks_soon(self, topic: Topic) -> bool:
        """Whether the thread needs no signal: the topic has no watchers, and its subscriptions are read again soon."""
        state = self._topics.get(topic)
        return state is not None and state.is_stale and not state.refreshing and not state.watchers

    def flush(self, seconds: float) -> None:
        with self._changed:
            if self._is_quiet():
                return
            self._flushing += 1
        try:
            self._signal()
            with self._changed:
                self._changed.wait_for(self._is_quiet, timeout=seconds)
        finally:
            with self._changed:
                self._flushing -= 1

    def close(self) -> None:
        """Send nothing more, and end the thread. What was not sent is repaired by pings."""
        with self._changed:
            self._closed = True
        self._signal()

    # ---- what is due ---------------------------------------------------------------------------------------------

    def step(self) -> float | None:
        """Start whatever is due. Return the seconds until something else is; None if only an event can change that."""
        with self._changed:
            self._wake = False
            now = self._monotonic()
            self._take_inbox(now)
            due = [*self._due_refreshes(now), *self._due_posts(now)]
        for start, undo in due:
            self._start(start, undo)
        with self._changed:
            self._forget_old(now)
            waits = [each - now for each in self._times()]
        return max(0.0, min(waits)) if waits else None

    def _take_inbox(self, now: float) -> None:
        while self._inbox:
            topic, first, events, watched = self._inbox.popleft()
            state = self._topics.setdefault(topic, _TopicState(topic, begin=first, at=now))
            state.noticed_at = now
            state.take(first, events, watched)

    def _due_refreshes(self, now: float) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        """Yield each reading of subscriptions that is due, and what to do if it cannot begin."""
        for state in self._topics.values():
            if state.is_stale and not state.refreshing and state.refresh_due_at <= now:
                state.refreshing, state.is_stale, state.is_marked = True, False, False
                yield functools.partial(self._refresh, state), functools.partial(self._note_unread, state, now)

    def _due_posts(self, now: float) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
        """Yield each post that is due, and what to do if it cannot begin."""
        waiting = sorted(self._waiting(), key=lambda pair: pair[1].next_at)
        for state, watcher in waiting:
            line = self._lines.setdefault(watcher.connection_id, _Line())
            if not line.in_flight and self._post_due_at(watcher, line) <= now:
                line.in_flight = True
                yield (
                    functools.partial(self._post, state, watcher, line),
                    functools.partial(self._note_unsent, line, now),
                )

    def _post_due_at(self, watcher: _Watcher, line: _Line) -> float:
        """Return when the watcher may be sent what it lacks: at the end of an invocation at once."""
        return line.blocked_until if self._flushing else max(watcher.next_at, line.blocked_until)

    def _waiting(self) -> Iterator[tuple[_TopicState, _Watcher]]:
        for state in self._topics.values():
            for watcher in state.watchers.values():
                if state.lacks(watcher):
                    yield state, watcher

    def _times(self) -> Iterator[float]:
        """Yield when each thing is due that no thread is doing."""
        for state in self._topics.values():
            if state.is_stale and not state.refreshing:
                yield state.refresh_due_at
        for _, watcher in self._waiting():
            line = self._lines.setdefault(watcher.connection_id, _Line())
            if not line.in_flight:
                yield self._post_due_at(watcher, line)

    def _is_quiet(self) -> bool:
        unread = any(each.refreshing or each.is_unknown for each in self._topics.values())
        return not (self._inbox or unread or any(True for _ in self._waiting()) or self._in_flight())

    def _in_flight(self) -> bool:
        return any(line.in_flight for line in self._lines.values())

    def _forget_old(self, now: float) -> None:
        waiting = {state.topic for state, _ in self._waiting()}
        for topic, state in list(self._topics.items()):
            is_done = not (state.refreshing or state.is_unknown or topic in waiting)
            if is_done and now - state.noticed_at >= FORGOTTEN_SECONDS:
                del self._topics[topic]
        watched = {connection_id for state in self._topics.values() for connection_id in state.watchers}
        for connection_id, line in list(self._lines.items()):
            if connection_id not in watched and not line.in_flight:
                del self._lines[connection_id]

    # ---- what threads do -----------------------------------------------------------------------------------------

    def _refresh(self, state: _TopicState) -> None:
        """Read who is subscribed to the topic."""
        began, tail = self._monotonic(), state.tail
        found: Sequence[Subscription] | None = None
        again = False
        try:
            found = self._subscriptions.of_topic(str(state.topic), consistent=state.watched is not None)
        except TransientFault:
            again = True
        except Exception as error:  # noqa: BLE001 - must not end the thread; pings send what this leaves out
            log.defect("subscriptions not read", error, topic=str(state.topic))
        with self._changed:
            if again:
                self._note_unread(state, began)
            else:
                # A mark that was noticed meanwhile may tell of a subscription that this read did not find.
                state.refreshed_at, state.refreshing, state.is_unknown = began, False, state.is_marked
            if found is None:
                state.is_stale = True
            else:
                state.keep_only(found)
                if not found:
                    state.forget_up_to(tail)
        self._signal()

    def _note_unread(self, state: _TopicState, at: float) -> None:
        """Let the subscriptions of the topic be read again, because they could not be read at this time."""
        state.refreshed_at, state.refreshing, state.is_stale, state.is_unknown = at, False, True, True

    def _post(self, state: _TopicState, watcher: _Watcher, line: _Line) -> None:
        """Send a watcher what it lacks of the topic."""
        began, has_failed, is_gone = self._monotonic(), False, False
        position = watcher.position
        try:
            message, position = self._next_message(state, watcher)
            if message is not None:
                self._posts.post(watcher.connection_id, message)
        except ConnectionGone:
            is_gone = True
        except TransientFault:
            position, has_failed = watcher.position, True
        except Exception as error:  # noqa: BLE001 - must not end the thread; pings send what this leaves out
            log.defect("event not sent", error, topic=str(state.topic))
            position = state.tail
        if is_gone:
            self._end(watcher.connection_id, state.topic)
        with self._changed:
            watcher.position = max(position, watcher.position)
            watcher.note_post(began)
            line.in_flight = False
            if has_failed:
                line.block(self._monotonic())
            else:
                line.backoff = 0.0
        self._signal()

    def _note_unsent(self, line: _Line, at: float) -> None:
        """Let what could not begin at this time be sent later."""
        line.in_flight = False
        line.block(at)

    def _next_message(self, state: _TopicState, watcher: _Watcher) -> tuple[str | None, int]:
        """Return the message with everything that the watcher lacks, and the number up to which it was sent then.

        The message is None if the source has nothing, because the topic was erased or is about to have a new
        generation, or if the connection is no longer subscribed.
        """
        from shared.channel.messages import Behind  # noqa: PLC0415 - only for a topic with watchers
        from shared.channel.pages import missed, sent_events  # noqa: PLC0415

        with self._changed:
            state.encode()
            tail, dropped = state.tail, state.dropped
            lacking = [each for each in state.ring if each.seq > watcher.position]
            is_subscribed = watcher.connection_id in state.watchers
        if not is_subscribed:
            return None, tail
        if watcher.position < dropped:
            return Behind(topic=str(state.topic), tail=tail, then="subscribe").model_dump_json(), tail
        if any(each.sent is None for each in lacking) or any(each.ends for each in lacking[:-1]):
            # The source has the text of a reset and the result of a job, and a snapshot for an end that is none.
            reader = self._sources.of(state.topic).reader(state.topic.id, after=lacking[0].seq - 1)
            events = sent_events(state.topic, reader.poll())
        else:
            events = [each.sent for each in lacking if each.sent is not None]
        tail = max(tail, events[-1].seq) if events else tail
        return missed(state.topic, events, tail=tail) if events else None, tail

    def _end(self, connection_id: str, topic: Topic) -> None:
        """Forget a connection that has ended, and remove it from the storage."""
        with self._changed:
            for state in self._topics.values():
                state.watchers.pop(connection_id, None)
        try:
            self._remove(connection_id, str(topic))
        except TransientFault:
            pass  # its lease ends, and its items expire
        except Exception as error:  # noqa: BLE001 - must not end the thread
            log.defect("connection not removed", error)

    # ---- threads -------------------------------------------------------------------------------------------------

    def _start(self, start: Callable[[], None], undo: Callable[[], None]) -> None:
        """Let a thread run `start`. If none can be started, run `undo`, so that it is tried again later."""
        try:
            (self._given_submit or self._pool.submit)(start)
        except Exception as error:  # noqa: BLE001 - what this process must still send waits for the same thread
            log.defect("announcer has no thread", error)
            with self._changed:
                undo()

    @functools.cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - takes 3 ms

        return ThreadPoolExecutor(POSTING_THREADS, thread_name_prefix="announcer")

    def _signal(self) -> None:
        with self._changed:
            self._wake = True
            self._changed.notify_all()
            if self._given_submit is None and not self._closed and not (self._thread and self._thread.is_alive()):
                self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the process has too many threads: the next notice tries again
            log.defect("announcer has no thread", error)
        else:
            self._thread = thread

    def _run(self) -> None:
        while not self._closed:
            try:
                wait = self.step()
            except Exception as error:  # noqa: BLE001 - this thread must not end
                log.defect("announcer broke", error)
                wait = REFRESH_SECONDS
            with self._changed:
                self._changed.wait_for(lambda: self._wake, timeout=wait)
