"""The channel of a whole stack, followed by WebSocket clients of others, and its limits as docs/channel.md has them."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import websockets

from local.api.channel_follower import ChannelFollower, NotFollowed
from tests.api_user import AT_ONCE, ApiUser, Event, data_of, refusal, wait_until
from tests.follower import SUBPROTOCOL, Channel, channel_of, follow, topic_of
from tests.layout import ROOT
from tests.patience import PATIENCE

WS = ROOT / "tests/model_oracle/node_modules/ws/wrapper.mjs"
CUTS = (2, 5, 9)
WHILE_IT_RUNS = "token_ms=3, first_token_ms=0"
CHANNEL_TABLE = "millrace-ChannelTable"


def stored(user: ApiUser, job_id: str) -> list[Event]:
    """Return the job's events as its stream has them after its end."""
    user.ended(job_id)
    return [event for event in user.watch(job_id) if event.id is not None]


def test_the_package_websockets_follows_a_job_through_three_cuts(user: ApiUser) -> None:
    job_id = user.new_job(WHILE_IT_RUNS)
    seen = follow(user, job_id, CUTS)
    assert seen == stored(user, job_id)


def test_the_npm_package_ws_follows_a_job_through_three_cuts(user: ApiUser) -> None:
    node = _node()
    job_id = user.new_job(WHILE_IT_RUNS)
    command = [node, str(Path(__file__).parent / "ws_follower.mjs"), user.stack.channel_url, job_id, *map(str, CUTS)]
    environment = {**os.environ, "MILLRACE_TOKEN": user.token}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)

    assert ran.returncode == 0, ran.stderr
    seen = [Event(seq, event["type"], event) for seq, event in map(json.loads, ran.stdout.splitlines())]
    assert seen == stored(user, job_id)


def _node() -> str:
    """Return the path of Node. If Node or ws is missing, skip the test, or fail it in CI."""
    node = shutil.which("node")
    if node is not None and WS.exists():
        return node
    reason = "ws is not installed: it takes node >= 20.15 and `npm ci --prefix tests/model_oracle`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_the_python_client_follows_a_job_over_connections_that_the_server_closes(user: ApiUser) -> None:
    job_id, earlier = user.new_job(f"pause_after=10, {AT_ONCE}"), set(user.stack.connections())
    subscribed: queue.Queue[set[str]] = queue.Queue()

    def note() -> None:
        subscribed.put(set(user.stack.connections()))

    def newly_subscribed() -> str:
        """Return the connection that has subscribed; after a gap one subscribes again."""
        while not (new := subscribed.get(timeout=PATIENCE) - earlier):
            pass
        (connection_id,) = new
        return connection_id

    follower = ChannelFollower(user.stack.channel_url, user.token, job_id, opened=note, sleep=lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        followed = pool.submit(lambda: list(follower))
        for _ in range(3):
            connection_id = newly_subscribed()
            earlier.add(connection_id)
            user.stack.channel_client().delete_connection(ConnectionId=connection_id)
        user.release(job_id)
        events = [Event(each.id, each.event.type, each.event.model_dump(mode="json")) for each in followed.result()]
    assert events == stored(user, job_id)


def test_a_job_of_another_user_is_not_followed(new_user: Callable[[], ApiUser]) -> None:
    job_id, stranger = new_user().new_job(), new_user()
    with pytest.raises(NotFollowed, match="FORBIDDEN"):
        list(ChannelFollower(stranger.stack.channel_url, stranger.token, job_id))
    with pytest.raises(NotFollowed, match="403"):
        list(ChannelFollower(stranger.stack.channel_url, "no token", job_id))


def test_the_client_opens_the_channel_with_a_ticket_which_is_valid_once(user: ApiUser) -> None:
    ticket = data_of(user.api.post("/connection-tickets", json={"tab": "one"}), 201)
    assert ticket["channelUrl"] == user.stack.channel_url
    with channel_of(user, ticket=ticket) as channel:
        assert channel.connection.subprotocol == SUBPROTOCOL
        assert channel.answer(channel.send("ping", positions={}))["type"] == "pong"
    with pytest.raises(websockets.InvalidStatus) as refused, channel_of(user, ticket=ticket):
        pass
    assert refused.value.response.status_code in {401, 403}


def test_the_eleventh_connection_of_a_user_is_refused(user: ApiUser) -> None:
    with ExitStack() as opened:
        for _ in range(10):
            opened.enter_context(channel_of(user))
        with pytest.raises(websockets.InvalidStatus) as refused, channel_of(user):
            pass
        assert refused.value.response.status_code == 429
        refusal(user.api.post("/connection-tickets", json={"tab": "eleventh"}), 429, "STREAM_LIMIT_EXCEEDED")


def test_the_51st_subscription_of_a_connection_is_refused(user: ApiUser) -> None:
    job_id = user.new_job()
    with opened(user) as (channel, connection_id):
        change(user, connection_id, topics=[{"S": f"job:{number}"} for number in range(50)])
        answer = channel.answer(channel.send("subscribe", topic=topic_of(job_id), after=0))
        assert (answer["type"], answer["code"]) == ("error", "CONFLICT")
        assert "50" in answer["message"]

        change(user, connection_id, topics=[{"S": f"job:{number}"} for number in range(49)])
        answer = channel.answer(channel.send("subscribe", topic=topic_of(job_id), after=0))
        assert answer["type"] == "subscribed"


def test_the_21st_message_within_ten_seconds_is_refused_and_the_third_refusal_closes(user: ApiUser) -> None:
    with opened(user) as (channel, connection_id):
        just_now = {"N": str(time.time() + PATIENCE)}  # so that the window does not end while the test runs
        change(user, connection_id, messages=[just_now] * 19)
        assert channel.answer(channel.send("ping", positions={}))["type"] == "pong"
        change(user, connection_id, messages=[just_now] * 20)
        for _ in range(2):
            answer = channel.answer(channel.send("ping", positions={}))
            assert (answer["type"], answer["code"]) == ("error", "RATE_LIMIT_EXCEEDED")
            assert answer["retryAfter"] > 0
        channel.send("ping", positions={})
        assert channel.receive() == {"type": "closing", "reason": "too_many_messages"}
        with pytest.raises(websockets.ConnectionClosed):
            channel.receive()


def test_a_connection_whose_end_nobody_was_told_of_is_removed_by_the_next_event(user: ApiUser) -> None:
    job_id = user.new_job(f"pause_after=10, {AT_ONCE}")
    with user.stack.losing_disconnects(), opened(user) as (channel, connection_id):
        assert channel.answer(channel.send("subscribe", topic=topic_of(job_id), after=0))["type"] == "subscribed"
        channel.cut()
        wait_until(lambda: connection_id not in user.stack.connections())
    user.release(job_id)
    user.ended(job_id)
    wait_until(lambda: not is_stored(user, connection_id))
    assert subscriptions(user, job_id) == []
    with ExitStack() as all_slots:
        for _ in range(10):
            all_slots.enter_context(channel_of(user))


@contextmanager
def opened(user: ApiUser) -> Iterator[tuple[Channel, str]]:
    """Open a connection, and yield it with its id."""
    before = set(user.stack.connections())
    with channel_of(user) as channel:
        (connection_id,) = set(user.stack.connections()) - before
        yield channel, connection_id


def change(user: ApiUser, connection_id: str, **lists: list[dict[str, str]]) -> None:
    """Replace lists of the stored connection, as the requests of a while would have changed it."""
    names = {f"#{name}": name for name in lists}
    user.stack.client("dynamodb").update_item(
        TableName=CHANNEL_TABLE,
        Key={"PK": {"S": f"CONN#{connection_id}"}, "SK": {"S": "CONN"}},
        UpdateExpression="SET " + ", ".join(f"{name} = :{name[1:]}" for name in names),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={f":{name}": {"L": values} for name, values in lists.items()},
    )


def is_stored(user: ApiUser, connection_id: str) -> bool:
    """Return whether the connection is stored; its item is removed after its subscriptions and its slot."""
    key = {"PK": {"S": f"CONN#{connection_id}"}, "SK": {"S": "CONN"}}
    return "Item" in user.stack.client("dynamodb").get_item(TableName=CHANNEL_TABLE, Key=key, ConsistentRead=True)


def subscriptions(user: ApiUser, job_id: str) -> list[str]:
    """Return the ids of the connections that are subscribed to the job."""
    items = user.stack.client("dynamodb").query(
        TableName=CHANNEL_TABLE,
        KeyConditionExpression="PK = :topic",
        ExpressionAttributeValues={":topic": {"S": f"TOPIC#{topic_of(job_id)}"}},
        ConsistentRead=True,
    )["Items"]
    return [item["SK"]["S"] for item in items]
