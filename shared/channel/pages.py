"""Put the events of a topic into messages, none larger than a message may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.channel.messages import MAX_RESULT_BYTES, Behind, LargeComplete, events_message
from shared.channel.sizes import MAX_EVENT_BYTES, MAX_EVENTS
from shared.channel.topics import Topic
from shared.log.events import Complete
from shared.log.reader import Frame
from shared.schema import Schema


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as JSON, with its number; `size` is the number of its bytes."""

    seq: int
    text: str
    size: int

    @classmethod
    def of(cls, topic: Topic, seq: int, event: Schema) -> SentEvent:
        """Return the event as the channel sends it. A large result of a job is replaced by the path of the job."""
        text = event.model_dump_json()
        if isinstance(event, Complete) and len(text.encode()) > MAX_RESULT_BYTES:
            text = LargeComplete(result_url=f"/jobs/{topic.id}", usage=event.usage).model_dump_json()
        return cls(seq, text, len(text.encode()))


def sent_events(topic: Topic, frames: Iterable[Frame]) -> list[SentEvent]:
    """Return the frames as the channel sends them."""
    return [SentEvent.of(topic, frame.id, frame.event) for frame in frames]


def fit_one_message(events: list[SentEvent]) -> bool:
    """Return whether the events fit into one message."""
    return len(events) <= MAX_EVENTS and sum(event.size for event in events) <= MAX_EVENT_BYTES


def messages(topic: Topic, events: Iterable[SentEvent], *, tail: int) -> Iterator[str]:
    """Yield the messages with the events, in order.

    If an event fits into no message, the last message is a `Behind` with the topic's last number `tail`, and the events
    from that one on are left out.
    """
    page: list[SentEvent] = []
    for event in events:
        if page and not fit_one_message([*page, event]):
            yield _message(topic, page)
            page = []
        if event.size > MAX_EVENT_BYTES:
            yield Behind(topic=str(topic), tail=tail, then="read").model_dump_json()
            return
        page.append(event)
    if page:
        yield _message(topic, page)


def missed(topic: Topic, events: list[SentEvent], *, tail: int) -> str:
    """Return the one message with these events, or the `Behind` that tells the client how to get them."""
    if fit_one_message(events):
        return _message(topic, events)
    too_large = events[0].size > MAX_EVENT_BYTES
    return Behind(topic=str(topic), tail=tail, then="read" if too_large else "subscribe").model_dump_json()


def _message(topic: Topic, events: Iterable[SentEvent]) -> str:
    return events_message(str(topic), ((event.seq, event.text) for event in events))
