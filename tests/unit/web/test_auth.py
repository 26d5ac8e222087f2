"""Who is asking: the authorizer's claims, the header, and a stream's gate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from shared.errors import Forbidden, Unauthenticated
from shared.web.auth import StreamGate, TokenVerifier, bearer_token, current_user
from shared.web.tickets import StreamTickets

TICKETS = StreamTickets(b"secret", clock=lambda: datetime(2026, 11, 21, tzinfo=UTC))


def request(event: Any = None, **headers: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "aws.event": event})


def test_behind_the_gateway_the_caller_is_the_authorizers_subject() -> None:
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
def test_where_no_authorizer_has_spoken_there_is_no_caller(event: Any) -> None:
    with pytest.raises(Unauthenticated):
        asyncio.run(current_user(request(event, authorization="Bearer a.good.token")))


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
def test_a_bearer_token_is_what_stands_behind_the_word(header: str, expected: str | None) -> None:
    assert bearer_token(request(authorization=header)) == expected


class TokensOfOneUser(TokenVerifier):
    """Takes one token, without asking anybody."""

    def __init__(self) -> None:
        super().__init__("issuer", "audience", jwks_url=str)

    def subject_of(self, token: str) -> str:
        if token != "good":
            raise Unauthenticated("the token is not valid here")
        return "user-1"


GATE = StreamGate(tokens=TokensOfOneUser, tickets=lambda: TICKETS)


def test_a_stream_opens_to_a_token_or_to_a_ticket() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    assert GATE.owner("good", None, "job_1") == "user-1"
    assert GATE.owner(None, ticket, "job_1") == "user-2"


def test_a_token_counts_more_than_a_ticket_and_a_bad_one_is_not_made_good_by_it() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    assert GATE.owner("good", ticket, "job_1") == "user-1"
    with pytest.raises(Unauthenticated):
        GATE.owner("bad", ticket, "job_1")


def test_a_stream_stays_shut_without_either_and_with_another_jobs_ticket() -> None:
    ticket, _ = TICKETS.issue("user-2", "job_1")

    with pytest.raises(Unauthenticated):
        GATE.owner(None, None, "job_1")
    with pytest.raises(Forbidden):
        GATE.owner(None, ticket, "job_2")
