"""Who may open a connection: tokens, tickets, origins and subprotocols, and the user's limits."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.channel.connections import CONNECTION_SECONDS, ChannelLimits, ConnectionRegistry
from shared.errors import StorageUnavailable, TransientFault, Unauthenticated
from shared.identity.tickets import CONNECTION_TICKET_SECONDS, ConnectionTickets, StreamTickets
from shared.identity.tokens import VerifiedToken
from shared.sockets.gate import ConnectionGate, open_connection
from tests.fakes.channel import FakeConnectionStore, FakeSubscriptionStore
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.records import FakeRecordStore

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live/$connect"
LATER = int(NOON.timestamp()) + 3600
SECRETS = ("a secret of this test",)


class Tokens:
    """Replaces the TokenVerifier: one token is valid, and one could not be checked."""

    async def verified(self, token: str) -> VerifiedToken:
        if token == "unchecked":
            raise TransientFault("the issuer's keys could not be fetched")
        if token != "valid":
            raise Unauthenticated("the token is not valid; get a new one")
        return VerifiedToken("ada", LATER)


@dataclass
class Door:
    """A gate for pages of one origin."""

    clock: SettableClock = field(default_factory=SettableClock)
    records: FakeRecordStore = field(default_factory=FakeRecordStore)
    origins: tuple[str, ...] = ("https://app.example",)

    def __post_init__(self) -> None:
        self.tickets = ConnectionTickets(lambda: SECRETS, lambda: self.records, clock=self.clock)

    def decide(
        self, headers: Mapping[str, str], *, several: Mapping[str, list[str]] | None = None, tab: str | None = None
    ) -> dict[str, Any]:
        gate = ConnectionGate(
            tokens=Tokens,  # type: ignore[arg-type]
            tickets=lambda: self.tickets,
            origins=self.origins,
            clock=self.clock,
        )
        event: dict[str, Any] = {
            "methodArn": ARN,
            "headers": headers,
            "multiValueHeaders": several,
            "queryStringParameters": None if tab is None else {"tab": tab},
            "requestContext": {"connectionId": "L0SM9cOFvHcCIhw="},
        }
        return asyncio.run(gate.authorize(event))

    def is_open(self, headers: Mapping[str, str]) -> bool:
        decided = self.decide(headers)
        assert decided["policyDocument"]["Statement"][0]["Resource"] == ARN
        return bool(decided["policyDocument"]["Statement"][0]["Effect"] == "Allow")

    def offering(self, ticket: str) -> dict[str, str]:
        return {"Sec-WebSocket-Protocol": f"millrace.v1, ticket.{ticket}"}


@pytest.fixture
def door() -> Door:
    return Door()


class TestTokens:
    def test_a_valid_token_opens_with_its_user_until_it_expires(self, door: Door) -> None:
        decided = door.decide({"Authorization": "Bearer valid"}, tab="left")
        assert decided["principalId"] == "ada"
        assert decided["context"] == {"owner": "ada", "tab": "left", "until": str(LATER)}

    def test_a_client_without_a_tab_counts_as_one(self, door: Door) -> None:
        assert door.decide({"authorization": "bearer valid"})["context"]["tab"] == "L0SM9cOFvHcCIhw="

    def test_a_connection_lasts_two_hours_at_most(self, door: Door) -> None:
        door.clock.advance(-7200)
        until = door.decide({"Authorization": "Bearer valid"})["context"]["until"]
        assert int(until) == int(NOON.timestamp() - 7200 + CONNECTION_SECONDS)

    @pytest.mark.parametrize("text", ["Bearer forged", "Bearer ", "Basic valid", "valid", ""])
    def test_any_other_is_refused(self, door: Door, text: str) -> None:
        assert not door.is_open({"Authorization": text})

    def test_a_token_that_could_not_be_checked_is_a_fault(self, door: Door) -> None:
        with pytest.raises(TransientFault):
            door.decide({"Authorization": "Bearer unchecked"})


class TestTickets:
    def test_a_ticket_opens_with_its_user_and_tab(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        assert door.decide(door.offering(text))["context"] == {"owner": "ada", "tab": "left", "until": str(LATER)}

    def test_subprotocols_may_come_in_several_headers(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        several = {"sec-websocket-protocol": ["millrace.v1", f"ticket.{text}"]}
        assert door.decide({}, several=several)["principalId"] == "ada"

    def test_a_ticket_opens_one_connection(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        assert door.is_open(door.offering(text))
        assert not door.is_open(door.offering(text))

    def test_a_ticket_expires_after_a_minute(self, door: Door) -> None:
        texts = [door.tickets.issue("ada", "left", until=LATER)[0] for _ in range(2)]
        door.clock.advance(CONNECTION_TICKET_SECONDS - 1)
        assert door.is_open(door.offering(texts[0]))
        door.clock.advance(1)
        assert not door.is_open(door.offering(texts[1]))

    def test_a_ticket_for_a_stream_is_refused(self, door: Door) -> None:
        text, _ = StreamTickets(lambda: SECRETS, clock=door.clock).issue("ada", "job_1", until=LATER)
        assert not door.is_open(door.offering(text))
        with pytest.raises(Unauthenticated, match="for a stream; ask for a connection ticket"):
            door.tickets.use(text)

    def test_a_connection_ticket_opens_no_stream(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        with pytest.raises(Unauthenticated):
            StreamTickets(lambda: SECRETS, clock=door.clock).check(text, "job_1")

    def test_a_forged_ticket_is_refused(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        body, _, signature = text.partition(".")
        claims = {**json.loads(base64.urlsafe_b64decode(body + "==")), "sub": "bob"}
        forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        for each in (f"{forged}.{signature}", body, "", ".", text + "A", text.swapcase()):
            assert not door.is_open(door.offering(each))

    def test_a_ticket_of_the_secret_before_is_valid(self, door: Door) -> None:
        text, _ = ConnectionTickets(lambda: ("old",), lambda: door.records, clock=door.clock).issue(
            "ada", "left", until=LATER
        )
        rotated = ConnectionTickets(lambda: ("new", "old"), lambda: door.records, clock=door.clock)
        assert rotated.use(text).owner == "ada"


class TestOrigins:
    def test_a_client_without_an_origin_is_no_page(self, door: Door) -> None:
        assert door.is_open({"Authorization": "Bearer valid"})

    @pytest.mark.parametrize(
        ("origin", "is_open"),
        [("https://app.example", True), ("https://evil.example", False), ("null", False), ("", False)],
    )
    def test_pages_of_other_origins_may_not_connect(self, door: Door, origin: str, is_open: bool) -> None:
        assert door.is_open({"Authorization": "Bearer valid", "Origin": origin}) is is_open

    def test_a_foreign_page_does_not_use_the_ticket_up(self, door: Door) -> None:
        text, _ = door.tickets.issue("ada", "left", until=LATER)
        assert not door.is_open({**door.offering(text), "Origin": "https://evil.example"})
        assert door.is_open(door.offering(text))

    def test_every_page_may_connect_if_all_origins_are_allowed(self) -> None:
        assert Door(origins=("*",)).is_open({"Authorization": "Bearer valid", "Origin": "https://any.example"})


def test_a_handshake_without_a_token_and_without_a_ticket_is_refused(door: Door) -> None:
    assert not door.is_open({})
    assert not door.is_open({"Sec-WebSocket-Protocol": "millrace.v1"})


class TestOpening:
    @pytest.fixture
    def registry(self) -> ConnectionRegistry:
        return ConnectionRegistry(
            connections=FakeConnectionStore(),
            subscriptions=FakeSubscriptionStore(),
            records=FakeRecordStore(),
            limits=ChannelLimits(connections=2, opens_per_minute=4),
            clock=SettableClock(),
        )

    def opened(self, registry: ConnectionRegistry, name: str, offered: str | None = None) -> dict[str, Any]:
        authorizer = {"owner": "ada", "tab": name, "until": str(LATER)}
        headers = {} if offered is None else {"Sec-WebSocket-Protocol": offered}
        context = {"connectionId": name, "authorizer": authorizer}
        return open_connection({"headers": headers, "requestContext": context}, registry)

    def test_a_client_that_offers_no_subprotocol_gets_none(self, registry: ConnectionRegistry) -> None:
        assert self.opened(registry, "one") == {"statusCode": 200}
        assert registry.admit("one").until == LATER

    def test_our_subprotocol_is_chosen(self, registry: ConnectionRegistry) -> None:
        answer = self.opened(registry, "one", "ticket.abc, millrace.v1")
        assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "millrace.v1"}}

    def test_other_subprotocols_only_are_refused(self, registry: ConnectionRegistry) -> None:
        answer = self.opened(registry, "one", "ticket.abc, millrace.v2")
        assert answer["statusCode"] == 400
        assert "offer millrace.v1" in answer["body"]

    def test_a_connection_above_a_limit_is_refused_with_429(self, registry: ConnectionRegistry) -> None:
        for name in ("one", "two"):
            assert self.opened(registry, name)["statusCode"] == 200
        refused = self.opened(registry, "three")
        assert (refused["statusCode"], "at most 2 connections open" in refused["body"]) == (429, True)
        registry.remove("one")
        assert self.opened(registry, "three")["statusCode"] == 200
        refused = self.opened(registry, "four")
        assert (refused["statusCode"], "at most 4 connections per minute" in refused["body"]) == (429, True)

    def test_a_storage_that_fails_is_503(self, registry: ConnectionRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise StorageUnavailable("the database could not be reached; try again")

        monkeypatch.setattr(registry, "open", fail)
        assert self.opened(registry, "one")["statusCode"] == 503
