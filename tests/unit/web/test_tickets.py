"""Stream tickets."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Forbidden, Unauthenticated
from shared.web.tickets import TICKET_SECONDS, StreamTickets
from tests.fakes.clock import SettableClock

SECRET = b"a secret nobody knows"
ANYTHING = st.text(st.characters(codec=None))
"""Lone surrogates too: an ASGI server lets them in."""


def office(clock: SettableClock | None = None, secret: bytes = SECRET) -> StreamTickets:
    return StreamTickets(secret, clock=clock or SettableClock())


def test_a_ticket_opens_the_job_it_was_issued_for() -> None:
    text, ticket = office().issue("ada", "job_1")
    assert office().check(text, "job_1") == ticket
    assert (ticket.owner, ticket.job_id) == ("ada", "job_1")


def test_a_ticket_can_stand_in_a_query_as_it_is() -> None:
    text, _ = office().issue("ada|ü?&=", "job_1")
    assert text.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()


def test_a_ticket_for_another_job_is_forbidden() -> None:
    text, _ = office().issue("ada", "job_1")
    with pytest.raises(Forbidden):
        office().check(text, "job_2")


def test_a_ticket_expires_to_the_second() -> None:
    clock = SettableClock()
    text, _ = office(clock).issue("ada", "job_1")
    clock.advance(TICKET_SECONDS - 0.001)
    assert office(clock).check(text, "job_1")
    clock.advance(0.001)
    with pytest.raises(Unauthenticated, match="expired"):
        office(clock).check(text, "job_1")


def test_a_ticket_signed_with_another_secret_is_not_ours() -> None:
    text, _ = office(secret=b"another").issue("ada", "job_1")
    with pytest.raises(Unauthenticated):
        office().check(text, "job_1")


@given(st.data())
def test_a_ticket_whose_claims_were_changed_is_refused(data: st.DataObject) -> None:
    text, _ = office().issue("ada", "job_1")
    body, signature = text.split(".")
    place = data.draw(st.integers(0, len(body) - 1))
    put = data.draw(st.characters(codec="utf-8").filter(lambda each: each != body[place]))
    with pytest.raises(Unauthenticated):
        office().check(f"{body[:place]}{put}{body[place + 1 :]}.{signature}", "job_1")


@given(st.binary(min_size=32, max_size=32))
def test_no_other_signature_will_do(signature: bytes) -> None:
    body = office().issue("ada", "job_1")[0].split(".")[0]
    with pytest.raises(Unauthenticated):
        office().check(f"{body}.{signature.hex()}", "job_1")


@given(ANYTHING)
def test_no_text_at_all_makes_the_check_stumble(text: str) -> None:
    with pytest.raises(Unauthenticated):
        office().check(text, "job_1")


@given(ANYTHING, st.booleans())
def test_nothing_put_beside_a_good_ticket_makes_the_check_stumble(text: str, before: bool) -> None:
    good, ticket = office().issue("ada", "job_1")
    with contextlib.suppress(Unauthenticated):
        assert office().check(text + good if before else good + text, "job_1") == ticket
