"""Messages of clients: what is refused and how, and which ends a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.channel.connections import MESSAGES, Connection
from shared.channel.messages import MAX_CLIENT_BYTES, Ping, Subscribe, Unsubscribe
from shared.errors import Forbidden, MillraceError, StorageUnavailable
from shared.sockets.desk import MessageDesk, refusal_of
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore


class Client:
    """A client with one connection; `say` returns what it is answered."""

    def __init__(self) -> None:
        self.core = FakeCore()
        self.posts = self.core.ports.channel_posts
        self.desk = MessageDesk(self.core.connection_registry, self.posts)
        self.core.connection_registry.open("one", owner="ada", tab="tab", until=NOON.timestamp() + 3600)
        self.fault: Exception | None = None
        self.read: list[Any] = []
        self.status = 0

    def act(self, connection: Connection, message: Any) -> None:
        assert connection.owner == "ada"
        self.read.append(message)
        if self.fault is not None:
            raise self.fault

    def say(self, text: object, kind: type[Any] | None = Subscribe) -> list[dict[str, Any]]:
        before = len(self.posts.sent["one"])
        event = {"requestContext": {"connectionId": "one"}, "body": text if isinstance(text, str) else json.dumps(text)}
        answer = self.desk.refuse(event) if kind is None else self.desk.serve(event, kind, self.act)
        self.status = answer["statusCode"]
        return self.posts.sent["one"][before:]

    def refused(self, text: object, kind: type[Any] | None = Subscribe) -> dict[str, Any]:
        [answer] = self.say(text, kind)
        assert (answer["type"], self.status) == ("error", 200)
        return answer


@pytest.fixture
def client() -> Client:
    return Client()


SUBSCRIBE = {"type": "subscribe", "id": "1", "topic": "job:x", "after": 3}


class TestWhatIsRead:
    @pytest.mark.parametrize(
        ("message", "kind"),
        [
            (SUBSCRIBE, Subscribe),
            ({"type": "unsubscribe", "id": "1", "topic": "job:x"}, Unsubscribe),
            ({"type": "ping", "id": "1", "positions": {"job:x": 3}}, Ping),
        ],
    )
    def test_a_message_reaches_its_service(self, client: Client, message: dict[str, Any], kind: type[Any]) -> None:
        assert client.say(message, kind) == []
        assert client.read == [kind.model_validate(message)]

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"after": -1}, "after: must be greater than or equal to 0"),
            ({"after": "3"}, "after: must be a valid integer"),
            ({"topic": None}, "topic: must be a valid string"),
            ({"topic": "x" * 81}, "topic: must have at most 80 characters"),
            ({"tab": "mine"}, "tab: is not a known field"),
        ],
    )
    def test_a_broken_rule_is_named_with_its_field(self, client: Client, changes: dict[str, Any], rule: str) -> None:
        answer = client.refused({**SUBSCRIBE, **changes})
        assert (answer["id"], answer["code"], answer["message"]) == ("1", "VALIDATION_FAILED", rule)
        assert answer["retryAfter"] is None
        assert client.read == []

    def test_pythons_names_are_not_those_of_the_api(self, client: Client) -> None:
        answer = client.refused({"type": "subscribe", "topic": "job:x"})
        assert (answer["id"], answer["message"]) == (None, "id: is required")

    @pytest.mark.parametrize("text", ["", "{", "subscribe", "\x00", "[" * 4000, "\ud800", "NaN,"])
    def test_a_message_that_is_not_json(self, client: Client, text: str) -> None:
        for kind in (Subscribe, None):
            answer = client.refused(text, kind)
            assert answer["code"] == "MALFORMED_REQUEST"
            assert answer["id"] is None

    def test_a_message_above_4_kb(self, client: Client) -> None:
        for kind in (Subscribe, None):
            answer = client.refused({**SUBSCRIBE, "topic": "é" * MAX_CLIENT_BYTES}, kind)
            assert answer["code"] == "PAYLOAD_TOO_LARGE"
            assert "at most 4096 bytes" in answer["message"]

    @pytest.mark.parametrize(
        ("message", "refusal"),
        [
            ({"id": "1"}, "type: is required; it is one of: subscribe, unsubscribe, ping"),
            ({"type": "publish"}, "type: must be one of: subscribe, unsubscribe, ping"),
            ({"type": None}, "type: must be one of: subscribe, unsubscribe, ping"),
            ([1], "the message is not a JSON object; send one JSON object"),
            ("text", "the message is not valid JSON; send one JSON object"),
        ],
    )
    def test_a_message_without_a_route(self, client: Client, message: object, refusal: str) -> None:
        assert client.refused(message, None)["message"] == refusal

    @given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
    def test_any_text_has_a_refusal(self, text: str) -> None:
        assert isinstance(refusal_of(text), MillraceError)


class TestErrors:
    def test_a_refusal_of_the_service_is_sent(self, client: Client) -> None:
        client.fault = Forbidden("this job belongs to another user")
        answer = client.refused(SUBSCRIBE)
        expected = {"id": "1", "code": "FORBIDDEN", "message": "this job belongs to another user", "retryAfter": None}
        assert answer == {"type": "error", **expected}

    def test_a_fault_of_the_storage_may_be_tried_again(self, client: Client) -> None:
        client.fault = StorageUnavailable("the database could not be reached; try again")
        assert client.refused(SUBSCRIBE)["retryAfter"] == 1

    def test_a_defect_is_told_without_its_text(self, client: Client) -> None:
        client.fault = ValueError("a secret prompt")
        [answer] = client.say(SUBSCRIBE)
        assert client.status == 500
        assert (answer["id"], answer["code"]) == ("1", "INTERNAL_ERROR")
        assert "secret" not in answer["message"]


class TestTheEndOfAConnection:
    def test_the_21st_message_is_refused_and_the_23rd_ends_the_connection(self, client: Client) -> None:
        for _ in range(MESSAGES):
            assert client.say(SUBSCRIBE) == []
        for _ in range(2):
            answer = client.refused(SUBSCRIBE)
            assert (answer["id"], answer["code"], answer["retryAfter"]) == ("1", "RATE_LIMIT_EXCEEDED", 10)
        assert client.say(SUBSCRIBE) == [{"type": "closing", "reason": "too_many_messages"}]
        assert client.posts.closed == ["one"]
        assert client.core.ports.connections.get("one") is None
        assert len(client.read) == MESSAGES

    def test_a_malformed_message_counts_too(self, client: Client) -> None:
        for _ in range(MESSAGES):
            client.refused("{", None)
        assert client.refused("{", None)["code"] == "RATE_LIMIT_EXCEEDED"

    def test_a_message_after_the_token_has_expired_ends_it(self, client: Client) -> None:
        client.core.clock.advance(3600)
        assert client.say({"type": "ping", "id": "1"}, Ping) == [{"type": "closing", "reason": "reauthenticate"}]
        assert client.posts.closed == ["one"]

    def test_a_message_after_the_close_ends_nothing_more(self, client: Client) -> None:
        client.core.connection_registry.remove("one")
        client.posts.gone.add("one")
        assert client.say(SUBSCRIBE) == []
        assert client.status == 200

    def test_a_connection_that_has_ended_is_removed(self, client: Client) -> None:
        client.posts.gone.add("one")
        client.fault = Forbidden("this job belongs to another user")
        assert client.say(SUBSCRIBE) == []
        assert client.core.ports.connections.get("one") is None
