"""Stream tickets: issuing and checking them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Forbidden, Unauthenticated
from shared.identity.tickets import LEAST_SECONDS, StreamTickets
from tests.fakes.clock import SettableClock

SECRET = "a secret of this test"
ANYTHING = st.text(st.characters(codec=None))
"""Texts with lone surrogates too, because an ASGI server accepts them."""


def tickets(clock: SettableClock | None = None, secrets: Sequence[str] = (SECRET,)) -> StreamTickets:
    return StreamTickets(lambda: secrets, clock=clock or SettableClock())


def test_a_ticket_is_valid_for_the_job_it_was_issued_for() -> None:
    text, ticket = tickets().issue("ada", "job_1")
    assert tickets().check(text, "job_1") == ticket
    assert (ticket.owner, ticket.job_id) == ("ada", "job_1")


def test_a_ticket_needs_no_escaping_in_a_query() -> None:
    text, _ = tickets().issue("ada|ü?&=", "job_1")
    assert text.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()


def test_a_ticket_for_another_job_is_forbidden() -> None:
    text, _ = tickets().issue("ada", "job_1")
    with pytest.raises(Forbidden):
        tickets().check(text, "job_2")


def test_a_ticket_expires_exactly_after_its_lifetime() -> None:
    clock = SettableClock()
    text, _ = tickets(clock).issue("ada", "job_1")
    clock.advance(LEAST_SECONDS - 0.001)
    assert tickets(clock).check(text, "job_1")
    clock.advance(0.001)
    with pytest.raises(Unauthenticated, match="expired"):
        tickets(clock).check(text, "job_1")


def test_a_ticket_is_valid_until_its_job_expires() -> None:
    clock = SettableClock()
    expires_at = int(clock().timestamp()) + 7200
    text, ticket = tickets(clock).issue("ada", "job_1", until=expires_at)
    assert ticket.expires_at == expires_at
    clock.advance(7200 - 0.001)
    assert tickets(clock).check(text, "job_1") == ticket
    clock.advance(0.001)
    with pytest.raises(Unauthenticated, match="expired"):
        tickets(clock).check(text, "job_1")


def test_a_ticket_signed_with_another_secret_is_refused() -> None:
    text, _ = tickets(secrets=["another"]).issue("ada", "job_1")
    with pytest.raises(Unauthenticated):
        tickets().check(text, "job_1")


def test_a_ticket_stays_valid_when_the_secret_is_rotated() -> None:
    text, ticket = tickets().issue("ada", "job_1")
    rotated = tickets(secrets=["the next secret", SECRET])
    assert rotated.check(text, "job_1") == ticket
    assert tickets(secrets=["the next secret"]).check(rotated.issue("ada", "job_1")[0], "job_1")


@given(st.data())
def test_a_ticket_whose_claims_were_changed_is_refused(data: st.DataObject) -> None:
    text, _ = tickets().issue("ada", "job_1")
    body, signature = text.split(".")
    index = data.draw(st.integers(0, len(body) - 1))
    put = data.draw(st.characters(codec="utf-8").filter(lambda each: each != body[index]))
    with pytest.raises(Unauthenticated):
        tickets().check(f"{body[:index]}{put}{body[index + 1 :]}.{signature}", "job_1")


@given(st.binary(min_size=32, max_size=32))
def test_a_ticket_with_another_signature_is_refused(signature: bytes) -> None:
    body = tickets().issue("ada", "job_1")[0].split(".")[0]
    with pytest.raises(Unauthenticated):
        tickets().check(f"{body}.{signature.hex()}", "job_1")


@given(ANYTHING)
def test_any_text_is_refused_without_another_error(text: str) -> None:
    with pytest.raises(Unauthenticated):
        tickets().check(text, "job_1")


@given(ANYTHING, st.booleans())
def test_text_around_a_valid_ticket_causes_no_other_error(text: str, before: bool) -> None:
    valid, ticket = tickets().issue("ada", "job_1")
    with contextlib.suppress(Unauthenticated):
        assert tickets().check(text + valid if before else valid + text, "job_1") == ticket


@pytest.mark.parametrize(
    "claims",
    [
        "[]",
        "7",
        "null",
        "{}",
        '{"sub": 7, "job": "job_1", "exp": 9e9}',
        '{"sub": "a", "job": "job_1", "exp": "x"}',
        "[",
    ],
)
def test_a_signed_ticket_with_odd_claims_is_refused(claims: str) -> None:
    body = base64.urlsafe_b64encode(claims.encode()).rstrip(b"=").decode()
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).digest()
    text = f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(Unauthenticated):
        tickets().check(text, "job_1")
