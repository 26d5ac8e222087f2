"""The messages of the channel, as JSON objects: docs/channel.md has their meaning and the client's part."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from shared.channel.sizes import MAX_EVENTS
from shared.errors import ErrorCode
from shared.log.usage import JobUsage
from shared.schema import Schema

SUBPROTOCOL = "millrace.v1"
"""The WebSocket subprotocol of these messages."""

TICKET_PREFIX = "ticket."
"""A browser offers its ticket as a second subprotocol with this prefix, because it cannot send a header."""

MAX_CLIENT_BYTES = 4096
"""The largest message of a client. Fifty positions fit into it."""

MAX_RESULT_BYTES = 64 * 1024
"""A larger result is left out of `complete`: the client reads it at `resultUrl`."""

MessageId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
TopicName = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Seq = Annotated[int, Field(ge=0, le=9_999_999_999, strict=True)]


class Subscribe(Schema):
    """Ask for the topic's events after number `after`, and for every event from then on.

    `id` is any text that tells the client's messages apart; the answer has the same `id`.
    """

    type: Literal["subscribe"] = "subscribe"
    id: MessageId
    topic: TopicName = Field(description="`job:<jobId>`, or a topic of an application")
    after: Seq = Field(default=0, description="the number of the last event that the client has; 0 for all events")


class Unsubscribe(Schema):
    """Ask for no more events of the topic. It is no error if the connection is not subscribed to it."""

    type: Literal["unsubscribe"] = "unsubscribe"
    id: MessageId
    topic: TopicName


class Ping(Schema):
    """Keep the connection open, and say up to which event the client has each topic. Missing events are sent again."""

    type: Literal["ping"] = "ping"
    id: MessageId
    positions: dict[TopicName, Seq] = Field(
        default_factory=dict, description="by topic, the number of the last event that the client has"
    )


ClientMessage: TypeAlias = Subscribe | Unsubscribe | Ping
"""A message that a client sends."""


class Subscribed(Schema):
    """The connection is subscribed. The events after `after` follow. `state` is the job's status, or the topic's."""

    type: Literal["subscribed"] = "subscribed"
    id: str
    topic: str
    after: int
    state: str


class Unsubscribed(Schema):
    """The connection is not subscribed to the topic. Events that were sent before this message may still arrive."""

    type: Literal["unsubscribed"] = "unsubscribed"
    id: str
    topic: str


class Pong(Schema):
    """The answer to a ping. A topic of `positions` that is missing in `tails` has no subscription: subscribe again."""

    type: Literal["pong"] = "pong"
    id: str
    tails: dict[str, int] = Field(description="by topic, the number of its last event")


class ChannelError(Schema):
    """A message was refused or failed; the connection stays open.

    `id` is that of the refused message, null if it could not be read.
    """

    type: Literal["error"] = "error"
    id: str | None = None
    code: ErrorCode
    message: str
    retry_after: int | None = Field(
        default=None, description="after this many seconds the same message may succeed; null if it cannot"
    )


class LargeComplete(Schema):
    """The `complete` of a job whose result is larger than a message may be: read the job at `resultUrl`."""

    type: Literal["complete"] = "complete"
    result: None = None
    result_url: str = Field(description="the path of the job in the HTTP API, such as `/jobs/{jobId}`")
    usage: JobUsage


class Events(Schema):
    """Events of one topic, each with its number, in ascending order: those of the stream, or a LargeComplete."""

    type: Literal["events"] = "events"
    topic: str
    events: tuple[tuple[int, dict[str, Any]], ...] = Field(
        max_length=MAX_EVENTS, description="[number, event] each; the events are those of the stream"
    )


class Behind(Schema):
    """The client is too far behind to be sent the events one after another, or the next event is too large.

    With `then` "subscribe": subscribe again after the client's last event. With "read": read the topic over HTTP, and
    subscribe after its `lastEventId`.
    """

    type: Literal["behind"] = "behind"
    topic: str
    tail: int = Field(description="the number of the topic's last event")
    then: Literal["subscribe", "read"]


ClosingReason = Literal["reauthenticate", "replaced", "too_many_messages", "unknown_connection"]
"""Why the server closes a connection."""


class Closing(Schema):
    """The server closes the connection now.

    `reauthenticate`: its token has expired: open another with a new token or ticket. `replaced`: the same tab has
    opened another. `too_many_messages`: wait ten seconds, then open another. `unknown_connection`: the server has
    removed it, because a message could not be delivered: open another.
    """

    type: Literal["closing"] = "closing"
    reason: ClosingReason


ServerMessage: TypeAlias = Subscribed | Unsubscribed | Pong | ChannelError | Events | Behind | Closing
"""A message that the server sends."""


def events_message(topic: str, events: Iterable[tuple[int, str]]) -> str:
    """Return the JSON of an `Events` message; each event is its number and its JSON."""
    listed = ",".join(f"[{seq},{text}]" for seq, text in events)
    return f'{{"type":"events","topic":{json.dumps(topic)},"events":[{listed}]}}'
