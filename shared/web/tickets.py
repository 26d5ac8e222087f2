"""Issue and check stream tickets, with which clients that cannot send headers may watch one job to its end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.clock import Clock
from shared.errors import Forbidden, Unauthenticated

LEAST_SECONDS = 300
"""How long a ticket is valid at least, also if its job is about to expire."""


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
        body = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{body}.{_encode(_signature(next(iter(self._secrets())), body))}", ticket

    def check(self, text: str, job_id: str) -> Ticket:
        """Return what the ticket says.

        Raises:
            Unauthenticated: the ticket was not issued here, or it has expired.
            Forbidden: the ticket is for another job.
        """
        body, _, signature = text.partition(".")
        try:
            signed = _decode(signature)
            if not any(hmac.compare_digest(signed, _signature(secret, body)) for secret in self._secrets()):
                raise Unauthenticated("the ticket is not valid; ask for a new one")
            claims = json.loads(_decode(body))
        except (ValueError, RecursionError):
            raise Unauthenticated("the ticket is not valid; ask for a new one") from None
        match claims:
            case {"sub": str(owner), "job": str(job), "exp": int(expires_at)}:
                ticket = Ticket(owner, job, expires_at)
            case _:
                raise Unauthenticated("the ticket is not valid; ask for a new one")
        if ticket.expires_at <= self._clock().timestamp():
            raise Unauthenticated("the ticket has expired; ask for a new one")
        if ticket.job_id != job_id:
            raise Forbidden("the ticket is for another job; ask for one for this job")
        return ticket


def _signature(secret: str, body: str) -> bytes:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
