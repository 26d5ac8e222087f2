"""The user of a request: the authorizer's claims, the bearer token, and a stream's ticket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from shared.errors import Forbidden, Unauthenticated
from shared.identity.issuer_keys import IssuerKeys
from shared.identity.tickets import StreamTickets
from shared.identity.tokens import TokenVerifier
from shared.web.auth import StreamGate, bearer_token, current_user

TICKETS = StreamTickets(lambda: ["secret"], clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))


def request(event: Any = None, **headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw, "aws.event": event})


def test_the_user_is_the_subject_from_the_authorizer() -> None:
    event = {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": "user-1"}}}}}

    assert asyncio.run(current_user(request(event))) == "user-1"


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"requestContext": {}},
        {"requestContext": {"authorizer": None}},
        {"requestContext": {"authorizer": {"lambda": {"sub": "user-1"}}}},
        {"requestContext": {"authorizer": {"jwt": {"claims": {}}}}},
        {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": ""}}}}},
    ],
)
def test_a_request_without_the_authorizers_claims_is_unauthenticated(event: Any) -> None:
    with pytest.raises(Unauthenticated):
        asyncio.run(current_user(request(event, authorization="Bearer a.valid.token")))


@pytest.mark.parametrize("claim", [{"token_use": "id"}, {"typ": "ID"}, {"at_hash": "x"}])
def test_an_id_token_gives_no_access(claim: dict[str, str]) -> None:
    event = {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": "user-1", **claim}}}}}
    with pytest.raises(Unauthenticated, match="send the access token"):
        asyncio.run(current_user(request(event)))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("Bearer   abc ", "abc"),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic abc", None),
        ("", None),
    ],
)
def test_the_bearer_token_is_read_from_the_header(header: str, expected: str | None) -> None:
    assert bearer_token(request(authorization=header)) == expected


class TokensOfOneUser(TokenVerifier):
    """Accepts one token, without a request to an issuer."""

    def __init__(self) -> None:
        super().__init__("issuer", "audience", keys=IssuerKeys(dict))

    async def subject_of(self, token: str) -> str:
        if token != "valid":
            raise Unauthenticated("the token is not valid here")
        return "user-1"


GATE = StreamGate(tokens=TokensOfOneUser, tickets=lambda: TICKETS)


def owner(token: str | None, ticket: str | None, job_id: str) -> str:
    return asyncio.run(GATE.owner(token, ticket, job_id))


def test_a_token_or_a_ticket_identifies_the_owner_of_a_stream() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    assert owner("valid", None, "job_1") == "user-1"
    assert owner(None, ticket, "job_1") == "user-2"


def test_a_token_takes_precedence_over_a_ticket_even_if_the_token_is_invalid() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    assert owner("valid", ticket, "job_1") == "user-1"
    with pytest.raises(Unauthenticated):
        owner("invalid", ticket, "job_1")


def test_a_stream_needs_a_token_or_the_ticket_of_its_job() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    with pytest.raises(Unauthenticated):
        owner(None, None, "job_1")
    with pytest.raises(Forbidden):
        owner(None, ticket, "job_2")
