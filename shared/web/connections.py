"""Define the wire models of `POST /connection-tickets`."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ConfigDict, Field

from shared.channel.connections import CONNECTION_SECONDS, MESSAGE_SECONDS, MESSAGES, SUBSCRIPTIONS
from shared.channel.messages import SUBPROTOCOL, TICKET_PREFIX
from shared.identity.tickets import ConnectionTicket
from shared.schema import Schema


class TicketRequest(Schema):
    """The body of `POST /connection-tickets`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)

    tab: str = Field(
        min_length=1,
        max_length=64,
        description="any text that names the tab: its next connection replaces this one",
    )


class ConnectionLimits(Schema):
    """What a client may do with the channel."""

    connections: int = Field(description="open connections of one user")
    subscriptions: int = Field(default=SUBSCRIPTIONS, description="topics of one connection")
    messages: int = Field(default=MESSAGES, description="messages of one connection within `messageSeconds`")
    message_seconds: float = MESSAGE_SECONDS
    connection_seconds: float = Field(default=CONNECTION_SECONDS, description="how long a connection lasts at most")


class CreatedTicket(Schema):
    """A ticket that opens one connection of the channel, until `expiresAt`."""

    ticket: str
    expires_at: datetime
    channel_url: str = Field(description="the URL to connect to")
    subprotocols: tuple[str, ...] = Field(description="the subprotocols to offer: the second one carries the ticket")
    limits: ConnectionLimits


def created_ticket(text: str, ticket: ConnectionTicket, channel_url: str, *, connections: int) -> CreatedTicket:
    """Return the response with a new ticket; `connections` is how many a user may have open."""
    return CreatedTicket(
        ticket=text,
        expires_at=datetime.fromtimestamp(ticket.expires_at, UTC),
        channel_url=channel_url,
        subprotocols=(SUBPROTOCOL, f"{TICKET_PREFIX}{text}"),
        limits=ConnectionLimits(connections=connections),
    )


def connection_until(token_expires_at: int | None, now: datetime) -> int:
    """Return until when a connection may last (Unix seconds): until its token expires, and two hours at most."""
    last = int(now.timestamp() + CONNECTION_SECONDS)
    return last if token_expires_at is None else min(token_expires_at, last)
