"""Issue and check tickets, for clients that cannot send headers: to watch one job, or to open one connection."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets as random_source
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shared.clock import Clock
from shared.errors import Forbidden, Unauthenticated
from shared.limits.records import RecordStore, VersionConflict, Versioned

LEAST_SECONDS = 300
"""How long a stream ticket is valid at least, also if its job is about to expire."""

CONNECTION_TICKET_SECONDS = 60
"""How long a connection ticket is valid."""

NOT_VALID = "the ticket is not valid; ask for a new one"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right of `owner` to watch job `job_id` until `expires_at` (Unix seconds)."""

    owner: str
    job_id: str
    expires_at: int


class StreamTickets:
    """Issue and check tickets of the form `base64url(JSON).base64url(HMAC-SHA256)`.

    `secrets` yields the secrets with which a valid ticket may be signed. New tickets are signed with the first. So
    tickets stay valid when the secret is rotated.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]], *, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    def issue(self, owner: str, job_id: str, *, until: int = 0) -> tuple[str, Ticket]:
        """Return the text of a new ticket, and what it says; it is valid until `until` (Unix seconds).

        `until` is when the job expires, because `EventSource` reconnects with the same URL until the job has ended.
        """
        ticket = Ticket(owner, job_id, max(until, int(self._clock().timestamp()) + LEAST_SECONDS))
        claims = {"sub": ticket.owner, "job": ticket.job_id, "exp": ticket.expires_at}
        return _signed(claims, self._secrets), ticket

    def check(self, text: str, job_id: str) -> Ticket:
        """Return what the ticket says.

        Raises:
            Unauthenticated: the ticket was not issued here, or it has expired.
            Forbidden: the ticket is for another job.
        """
        match _claims(text, self._secrets):
            case {"sub": str(owner), "job": str(job), "exp": int(expires_at)}:
                ticket = Ticket(owner, job, expires_at)
            case _:
                raise Unauthenticated(NOT_VALID)
        if ticket.expires_at <= self._clock().timestamp():
            raise Unauthenticated("the ticket has expired; ask for a new one")
        if ticket.job_id != job_id:
            raise Forbidden("the ticket is for another job; ask for one for this job")
        return ticket


@dataclass(frozen=True, slots=True)
class ConnectionTicket:
    """The right of `owner` to open one connection of the channel for `tab`, before `expires_at`.

    `id` tells tickets apart, so that each opens one connection only. The connection may last until `until`. Both times
    are in Unix seconds.
    """

    owner: str
    tab: str
    id: str
    expires_at: int
    until: int


class ConnectionTickets:
    """Issue and check tickets for connections of the channel: each is valid for CONNECTION_TICKET_SECONDS, and once."""

    def __init__(
        self, secrets: Callable[[], Iterable[str]], records: Callable[[], RecordStore], *, clock: Clock
    ) -> None:
        """`records` keeps which tickets were used; it and `secrets` are called when they are needed."""
        self._secrets = secrets
        self._records = records
        self._clock = clock

    def issue(self, owner: str, tab: str, *, until: int) -> tuple[str, ConnectionTicket]:
        """Return the text of a new ticket, and what it says; the connection may last until `until` (Unix seconds)."""
        expires_at = int(self._clock().timestamp()) + CONNECTION_TICKET_SECONDS
        ticket = ConnectionTicket(owner, tab, random_source.token_hex(16), expires_at, until)
        claims = {
            "sub": owner,
            "use": "channel",
            "tab": tab,
            "jti": ticket.id,
            "exp": expires_at,
            "until": until,
        }
        return _signed(claims, self._secrets), ticket

    def use(self, text: str) -> ConnectionTicket:
        """Return what the ticket says, and let nobody use it again.

        Raises:
            Unauthenticated: it was not issued here, is for a stream, has expired, or was used before.
            TransientFault: it could not be marked as used.
        """
        match _claims(text, self._secrets):
            case {
                "sub": str(owner),
                "use": "channel",
                "tab": str(tab),
                "jti": str(ticket_id),
                "exp": int(expires_at),
                "until": int(until),
            }:
                ticket = ConnectionTicket(owner, tab, ticket_id, expires_at, until)
            case {"job": _}:
                raise Unauthenticated("the ticket is for a stream; ask for a connection ticket")
            case _:
                raise Unauthenticated(NOT_VALID)
        if ticket.expires_at <= self._clock().timestamp():
            raise Unauthenticated("the ticket has expired; ask for a new one")
        try:
            self._records().swap(owner, f"ticket-{ticket_id}", Versioned(0, "{}"), expires_at=expires_at + 1)
        except VersionConflict:
            raise Unauthenticated("the ticket was used before; ask for a new one") from None
        return ticket


def _signed(claims: dict[str, Any], secrets: Callable[[], Iterable[str]]) -> str:
    """Return the ticket with these claims, signed with the first of the secrets."""
    body = _encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{body}.{_encode(_signature(next(iter(secrets())), body))}"


def _claims(text: str, secrets: Callable[[], Iterable[str]]) -> Any:
    """Return the claims of the ticket. Raises Unauthenticated if none of the secrets has signed it."""
    body, _, signature = text.partition(".")
    try:
        signed = _decode(signature)
        if not any(hmac.compare_digest(signed, _signature(secret, body)) for secret in secrets()):
            raise Unauthenticated(NOT_VALID)
        return json.loads(_decode(body))
    except (ValueError, RecursionError):
        raise Unauthenticated(NOT_VALID) from None


def _signature(secret: str, body: str) -> bytes:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
