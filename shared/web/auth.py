"""Identify a request's user by API Gateway's authorizer, or by a token or ticket that the function checks itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from shared.errors import Unauthenticated
from shared.identity.tickets import StreamTickets
from shared.identity.tokens import TokenVerifier, refuse_id_token

CountWrite = Callable[[str], None]
"""Counts a write of a user. Raises RateLimitExceeded if it is above the limit."""

_READS = frozenset({"GET", "HEAD"})


def COUNTED_BY_SERVICE(_user: str) -> None:  # noqa: N802 - a constant for `create_app`
    """Count nothing, because the operation's service counts what it creates."""


async def current_user(request: Request) -> str:
    """Return the user's `sub`, which API Gateway's JWT authorizer read from the token, and count the user's write.

    Raises:
        Unauthenticated: the request did not pass an authorizer.
        RateLimitExceeded: the request writes, and the user has reached the limit of the operation.
    """
    event: dict[str, Any] = request.scope.get("aws.event") or {}
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims: dict[str, Any] = (authorizer.get("jwt") or {}).get("claims", {})
    subject = claims.get("sub")
    refuse_id_token(claims)
    if not subject:
        raise Unauthenticated("the request has no token; send one in the Authorization header, as Bearer")
    if request.method not in _READS:
        count_write: CountWrite | None = request.app.state.count_write
        if count_write is None:
            raise RuntimeError("an operation that writes must give create_app a `count_write`")
        count_write(str(subject))
    return str(subject)


CurrentUser = Annotated[str, Depends(current_user)]


def token_expires_at(request: Request) -> int | None:
    """Return when the token expires that API Gateway's JWT authorizer has read (Unix seconds); None if unknown."""
    event: dict[str, Any] = request.scope.get("aws.event") or {}
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    text = str((authorizer.get("jwt") or {}).get("claims", {}).get("exp", ""))
    return int(text) if text.isascii() and text.isdecimal() else None


@dataclass(frozen=True, slots=True)
class StreamGate:
    """Authenticate watchers by a token, or by a ticket for the job. `tokens` and `tickets` are called when needed."""

    tokens: Callable[[], TokenVerifier]
    tickets: Callable[[], StreamTickets]

    async def owner(self, token: str | None, ticket: str | None, job_id: str) -> str:
        """Return the user whom the token or the ticket names; the token has precedence.

        Raises:
            Unauthenticated: there is neither a token nor a ticket, or it is not valid.
            Forbidden: the ticket is for another job.
            TransientFault: the issuer's keys could not be fetched.
        """
        if token is not None:
            return await self.tokens().subject_of(token)
        if ticket is not None:
            checked = await asyncio.to_thread(lambda: self.tickets().check(ticket, job_id))  # it may fetch secrets
            return checked.owner
        raise Unauthenticated(
            "the request has no token and no ticket; send a token in the Authorization header, as Bearer, "
            "or a ticket in the query"
        )


def bearer_token(request: Request) -> str | None:
    """Return the bearer token of the Authorization header; None if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
