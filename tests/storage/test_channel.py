"""Connections and subscriptions, in memory and on DynamoDB; posts, through botocore."""

from __future__ import annotations

import http.server
from collections.abc import Iterator

import pytest

from shared.channel.connections import STORED_SECONDS, ChannelLimits, Connection, ConnectionRegistry, MustClose
from shared.channel.posts import ConnectionGone
from shared.channel.subscriptions import Subscription
from shared.errors import RateLimitExceeded, StorageThrottled, StorageUnavailable
from shared.limits.records import VersionConflict
from shared.storage import aws
from shared.storage.channel_posts import ApiGatewayPosts
from tests.fakes.clock import NOON
from tests.serving import serving
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports, adapters


def a_connection(name: str, **fields: object) -> Connection:
    at = NOON.timestamp() + 0.25
    values = {"id": name, "owner": "ada", "tab": "tab", "until": at + 60, "opened_at": at, "renewed_at": at, **fields}
    return Connection.model_validate(values)


class TestConnections:
    def test_a_connection_is_read_as_it_was_stored(self, ports: Ports, owner: str) -> None:
        connection = a_connection(owner, topics=("job:1", "job:2"), messages=(1.5, 2.0))
        assert ports.connections.get(owner) is None
        ports.connections.put_new(connection)
        assert ports.connections.get(owner) == connection

    def test_a_swap_stores_the_next_version_only(self, ports: Ports, owner: str) -> None:
        ports.connections.put_new(a_connection(owner))
        second = a_connection(owner, refused=1, version=2)
        ports.connections.swap(second)
        for version in (1, 2, 4):
            with pytest.raises(VersionConflict):
                ports.connections.swap(a_connection(owner, refused=9, version=version))
        assert ports.connections.get(owner) == second

    def test_a_removed_connection_cannot_be_swapped(self, ports: Ports, owner: str) -> None:
        ports.connections.put_new(a_connection(owner))
        for _ in range(2):
            ports.connections.remove(owner)
        with pytest.raises(VersionConflict):
            ports.connections.swap(a_connection(owner, version=2))
        assert ports.connections.get(owner) is None

    def test_it_is_deleted_a_little_later_than_it_can_last(self, server: AwsServer, owner: str) -> None:
        adapters(server).connections.put_new(a_connection(owner))
        key = {"PK": {"S": f"CONN#{owner}"}, "SK": {"S": "CONN"}}
        item = server.dynamodb.get_item(TableName=server.channel_table, Key=key)["Item"]
        assert int(item["expiresAt"]["N"]) == int(NOON.timestamp()) + STORED_SECONDS


class TestSubscriptions:
    def test_a_topic_has_the_subscriptions_that_are_not_removed(self, ports: Ports, owner: str) -> None:
        topic = f"job:{owner}"
        first, second = (Subscription(topic=topic, connection_id=f"{each}=", position=each) for each in (1, 2))
        assert ports.subscriptions.of_topic(topic) == []
        for each in (first, second):
            ports.subscriptions.put(each, expires_at=2**33)
        other = Subscription(topic=f"{topic}x", connection_id="3=", position=0)
        ports.subscriptions.put(other, expires_at=2**33)
        assert sorted(ports.subscriptions.of_topic(topic), key=lambda each: each.position) == [first, second]
        for _ in range(2):
            ports.subscriptions.remove(topic, "1=")
        assert ports.subscriptions.of_topic(topic) == [second]
        assert [ports.subscriptions.has(topic, each) for each in ("1=", "2=", "3=")] == [False, True, False]

    def test_a_second_subscription_of_a_connection_replaces_the_first(self, ports: Ports, owner: str) -> None:
        for position in (1, 7):
            stored = Subscription(topic=f"job:{owner}", connection_id="1=", position=position)
            ports.subscriptions.put(stored, expires_at=2**33)
        assert [each.position for each in ports.subscriptions.of_topic(f"job:{owner}")] == [7]


class TestUnderConcurrency:
    @pytest.fixture
    def registry(self, ports: Ports, owner: str) -> ConnectionRegistry:
        registry = ConnectionRegistry(
            connections=ports.connections,
            subscriptions=ports.subscriptions,
            records=ports.records,
            limits=ChannelLimits(),
            clock=ports.clock,
        )
        registry.open(owner, owner=owner, tab="tab", until=2**40)
        return registry

    def test_of_twenty_concurrent_messages_after_fifteen_five_are_admitted(
        self, registry: ConnectionRegistry, owner: str
    ) -> None:
        for _ in range(15):
            registry.admit(owner)

        def admitted(_: int) -> bool:
            try:
                registry.admit(owner)
            except (RateLimitExceeded, MustClose):
                return False
            return True

        assert sum(at_once(admitted)) == 5

    def test_topics_that_are_added_at_once_are_all_there(
        self, ports: Ports, registry: ConnectionRegistry, owner: str
    ) -> None:
        at_once(lambda number: registry.add_topic(owner, f"job:{number}"))
        found = ports.connections.get(owner)
        assert found is not None
        assert {*found.topics} == {f"job:{number}" for number in range(20)}


Request = tuple[str, str, bytes]
"""The method, path and body of a request."""

ANSWERS = {"gone": (410, "GoneException"), "full": (429, "LimitExceededException"), "bad": (400, "BadRequestException")}
"""Connection → the status and the code with which API Gateway answers a post to it; 200 for any other."""


class Management(http.server.BaseHTTPRequestHandler):
    """API Gateway's management API."""

    requests: list[Request]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.requests.append((self.command, self.path, body))
        status, code = ANSWERS.get(self.path.rpartition("/")[2], (200, ""))
        self.send_response(status)
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass


class TestPosts:
    @pytest.fixture
    def management(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ApiGatewayPosts, list[Request]]]:
        requests: list[Request] = []
        handler = type("Recording", (Management,), {"requests": requests})
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "none")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        with serving(server):
            yield ApiGatewayPosts(f"ws://127.0.0.1:{server.server_address[1]}/live"), requests
        aws.channel_management.cache_clear()

    def test_a_post_and_a_close_name_the_connection(self, management: tuple[ApiGatewayPosts, list[Request]]) -> None:
        posts, requests = management
        posts.post("L0SM9cOFvHcCIhw=", '{"é":1}')
        posts.close("L0SM9cOFvHcCIhw=")
        posts.close("gone")
        path = "/live/@connections/L0SM9cOFvHcCIhw%3D"
        assert [(method, found) for method, found, _ in requests[:2]] == [("POST", path), ("DELETE", path)]
        assert requests[0][2] == '{"é":1}'.encode()

    @pytest.mark.parametrize(
        ("connection", "fault"), [("gone", ConnectionGone), ("bad", ConnectionGone), ("full", StorageThrottled)]
    )
    def test_a_refusal_is_told_apart(
        self,
        management: tuple[ApiGatewayPosts, list[Request]],
        connection: str,
        fault: type[Exception],
    ) -> None:
        posts, _ = management
        with pytest.raises(fault):
            posts.post(connection, "{}")

    def test_an_api_that_cannot_be_reached_is_a_transient_fault(
        self, management: tuple[ApiGatewayPosts, list[Request]]
    ) -> None:
        with pytest.raises(StorageUnavailable):
            ApiGatewayPosts("ws://127.0.0.1:9/live").post("one", "{}")
