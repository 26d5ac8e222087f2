"""The keys of an issuer are fetched rarely and by one request, and what an issuer sends instead of keys is a fault."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from shared.errors import ErrorCode, TransientFault
from shared.identity import issuer_keys
from shared.identity.issuer_keys import FRESH_SECONDS, KEPT_SECONDS, PAUSE_SECONDS, IssuerKeys, Keys, KeysUnreadable

OLD: Keys = {"key-1": "old"}
NEW: Keys = {"key-1": "new", "key-2": "new"}


class Issuer:
    """An issuer that sends what `now` says, and counts how often it was asked. While it is `held`, it sends nothing."""

    def __init__(self, now: Keys | Exception) -> None:
        self.now = now
        self.asked = 0
        self.seconds = 0.0
        self.asked_again = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.keys = IssuerKeys(self._fetch, clock=lambda: self.seconds)

    def _fetch(self) -> Keys:
        self.asked += 1
        free = self.free  # before a test knows of this fetch, and gives the next one another
        self.asked_again.set()
        free.wait()
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def key(self, key_id: str) -> object:
        """Return the key, None if there is none, or the code of the fault."""
        try:
            return asyncio.run(self.keys.key(key_id))
        except TransientFault as fault:
            return fault.code


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fetch that is not held take as long as a busy machine needs."""
    monkeypatch.setattr(issuer_keys, "WAIT_SECONDS", 600.0)
    monkeypatch.setattr(issuer_keys, "SHORT_WAIT_SECONDS", 600.0)


def test_keys_are_fetched_once_while_they_are_fresh() -> None:
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.now, issuer.seconds = NEW, FRESH_SECONDS - 1
    assert (issuer.key("key-1"), issuer.asked) == ("old", 1)
    issuer.seconds = FRESH_SECONDS
    assert (issuer.key("key-1"), issuer.asked) == ("new", 2)


def test_a_new_key_of_the_issuer_is_found() -> None:
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.now, issuer.seconds = NEW, PAUSE_SECONDS
    assert (issuer.key("key-2"), issuer.asked) == ("new", 2)


def test_many_unknown_key_ids_cause_one_fetch() -> None:
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.seconds = PAUSE_SECONDS
    assert [issuer.key(f"unknown-{number}") for number in range(20)] == [None] * 20
    assert issuer.asked == 2


NONSENSE = [
    KeysUnreadable("the key set has no list of keys"),
    ConnectionRefusedError(),
    RecursionError(),
    KeyError("n"),
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_issuer_that_sends_no_keys_is_unavailable_and_is_asked_again_after_a_pause(nonsense: Exception) -> None:
    issuer = Issuer(nonsense)
    assert [issuer.key("key-1") for _ in range(20)] == [ErrorCode.IDENTITY_UNAVAILABLE] * 20
    assert issuer.asked == 1
    issuer.now, issuer.seconds = NEW, PAUSE_SECONDS
    assert issuer.key("key-1") == "new"


def test_the_fault_says_when_to_send_the_request_again() -> None:
    issuer = Issuer(ConnectionRefusedError())
    for seconds, expected in ((0.0, 10), (3.5, 7), (9.9, 1)):
        issuer.seconds = seconds
        with pytest.raises(TransientFault, match="wait for Retry-After") as fault:
            asyncio.run(issuer.keys.key("key-1"))
        assert (fault.value.retry_after, fault.value.retryable) == (expected, True)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_known_keys_are_used_for_an_hour_while_the_issuer_sends_none(nonsense: Exception) -> None:
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.now = nonsense
    for seconds in (FRESH_SECONDS, FRESH_SECONDS + PAUSE_SECONDS, KEPT_SECONDS - 1):
        issuer.seconds = seconds
        assert issuer.key("key-1") == "old", "the user stays signed in"
        assert issuer.key("key-2") == ErrorCode.IDENTITY_UNAVAILABLE, "it may be a new key"
    issuer.seconds = KEPT_SECONDS + PAUSE_SECONDS
    assert issuer.key("key-1") == ErrorCode.IDENTITY_UNAVAILABLE


def while_held(issuer: Issuer, requests: Callable[[asyncio.Task[object]], object]) -> object:
    """Let a first request wait for a fetch that hangs, make other requests meanwhile, and return the first's key."""

    async def run() -> object:
        issuer.free.clear()
        issuer.asked_again.clear()
        first = asyncio.ensure_future(issuer.keys.key("key-2"))
        await asyncio.to_thread(issuer.asked_again.wait)
        try:
            await asyncio.to_thread(requests, first)
        finally:
            issuer.free.set()
        return await first

    return asyncio.run(run())


def test_a_fetch_that_hangs_holds_up_no_request_with_a_known_key() -> None:
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.now, issuer.seconds = NEW, PAUSE_SECONDS

    def others(first: asyncio.Task[object]) -> None:
        assert [issuer.key("key-1") for _ in range(100)] == ["old"] * 100
        assert not first.done()

    assert while_held(issuer, others) == "new"


def test_a_fetch_that_hangs_holds_up_a_request_with_an_old_key_for_a_short_time_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuer_keys, "SHORT_WAIT_SECONDS", 0.0)
    issuer = Issuer(OLD)
    assert issuer.key("key-1") == "old"
    issuer.now, issuer.seconds = NEW, FRESH_SECONDS

    def others(first: asyncio.Task[object]) -> None:
        assert issuer.key("key-1") == "old"
        assert not first.done()

    assert while_held(issuer, others) == "new"


def test_requests_wait_for_the_same_fetch_and_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "ABANDONED_SECONDS", 1000.0)
    issuer = Issuer(NEW)

    def others(_: asyncio.Task[object]) -> None:
        issuer.seconds = issuer_keys.WAIT_SECONDS
        assert [issuer.key("key-1") for _ in range(20)] == [ErrorCode.IDENTITY_UNAVAILABLE] * 20

    assert while_held(issuer, others) == "new"
    assert issuer.asked == 1


def test_a_fetch_that_never_ends_is_abandoned() -> None:
    issuer = Issuer(NEW)

    def others(_: asyncio.Task[object]) -> None:
        issuer.seconds = issuer_keys.ABANDONED_SECONDS
        held, issuer.free = issuer.free, threading.Event()
        issuer.free.set()
        assert issuer.key("key-1") == "new"
        issuer.free = held

    assert while_held(issuer, others) == "new"
    assert issuer.asked == 2
