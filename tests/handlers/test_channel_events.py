"""The functions of the channel handle their events of `events/channel/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared import bootstrap
from shared.channel.connections import ConnectionRegistry
from shared.jobs.job import Job
from shared.log.event_log import Batch
from shared.log.events import Delta
from shared.log.fence import Fence
from tests.fakes.channel import FakePosts
from tests.fixtures.functions import JOB_ID, OWNER, Handle, envelope, load_event

CONNECTION = "L0SM9cOFvHcCIhw="


@pytest.fixture
def posts(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> FakePosts:
    """What the functions send to connections."""
    fake = FakePosts()
    monkeypatch.setattr("shared.storage.channel_posts.ApiGatewayPosts", lambda _: fake)
    monkeypatch.setattr("shared.channel.catch_up.UNSEEN_SECONDS", ())
    return fake


@pytest.fixture
def registry(posts: FakePosts) -> ConnectionRegistry:
    """The connections, of which the one that the events name is open."""
    registry = bootstrap.core().connection_registry
    registry.open(CONNECTION, owner=OWNER, tab="tab-1", until=2**40)
    return registry


class TestOpening:
    def ticket(self, handle: Handle) -> str:
        return str(envelope(handle("create_connection_ticket.valid"), 201)["data"]["subprotocols"][1])

    def connect(self, handle: Handle, offered: str) -> Any:
        headers = load_event("authorize_connection.ticket")["multiValueHeaders"]
        headers["Sec-WebSocket-Protocol"] = [offered]
        return handle("authorize_connection.ticket", multiValueHeaders=headers)

    def test_a_ticket_opens_one_connection(self, handle: Handle, posts: FakePosts) -> None:
        offered = f"millrace.v1, {self.ticket(handle)}"

        allowed = self.connect(handle, offered)
        assert allowed["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        assert allowed["context"] == {"owner": OWNER, "tab": "tab-1", "until": "1795257000"}
        again = self.connect(handle, offered)
        assert again["policyDocument"]["Statement"][0]["Effect"] == "Deny"

        opened = handle("open_connection.valid")
        assert opened == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "millrace.v1"}}
        assert handle("end_connection.closed") == {"statusCode": 200}
        assert bootstrap.core().ports.connections.get(CONNECTION) is None

    def test_the_ticket_of_the_example_is_refused(self, handle: Handle) -> None:
        assert handle("authorize_connection.ticket")["policyDocument"]["Statement"][0]["Effect"] == "Deny"


class TestMessages:
    def test_a_subscriber_gets_the_events_so_far(
        self, handle: Handle, posts: FakePosts, registry: ConnectionRegistry, put_job: Callable[..., Job]
    ) -> None:
        job = put_job()
        batch = Batch(1, (Delta(text="a"),), Fence.of_resumption(1), job.created_at, expires_at=job.expires_at)
        bootstrap.core().ports.event_log.append(job.id, batch)

        assert handle("subscribe.valid") == {"statusCode": 200}

        assert posts.sent[CONNECTION][0] == {
            "type": "subscribed",
            "id": "1",
            "topic": f"job:{JOB_ID}",
            "after": 0,
            "state": "pending",
        }
        assert posts.events(CONNECTION) == [(1, "delta")]
        assert handle("unsubscribe.valid") == {"statusCode": 200}
        assert posts.sent[CONNECTION][-1]["type"] == "unsubscribed"

    def test_a_ping_is_answered_and_an_unknown_message_refused(
        self, handle: Handle, posts: FakePosts, registry: ConnectionRegistry
    ) -> None:
        assert handle("ping.valid") == {"statusCode": 200}
        assert handle("refuse_message.unknown_type") == {"statusCode": 200}

        pong, refused = posts.sent[CONNECTION]
        assert pong == {"type": "pong", "id": "3", "tails": {}}
        assert (refused["id"], refused["code"]) == ("4", "VALIDATION_FAILED")
        assert refused["message"] == "type: must be one of: subscribe, unsubscribe, ping"

    def test_a_message_after_the_connection_was_removed_is_told_to_open_another(
        self, handle: Handle, posts: FakePosts, registry: ConnectionRegistry
    ) -> None:
        registry.remove(CONNECTION)

        assert handle("ping.valid") == {"statusCode": 200}

        assert posts.sent[CONNECTION] == [{"type": "closing", "reason": "unknown_connection"}]
        assert posts.closed == [CONNECTION]


def test_what_a_function_appends_reaches_the_subscribers_before_it_returns(
    handle: Handle, posts: FakePosts, registry: ConnectionRegistry, put_job: Callable[..., Job]
) -> None:
    put_job()
    handle("subscribe.valid")

    assert handle("record_failure.stage_timeout")

    assert posts.events(CONNECTION) == [(1, "error")]
