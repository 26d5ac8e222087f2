"""Every way in which the channel uses AWS: each route, and an event for a connection that has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from local.aws.iam import grants_of
from local.stack import ROOT
from local.template.template import Template
from tests.api_user import data_of, wait_until
from tests.patience import PATIENCE
from tests.permissions.world import JOBS_TABLE, World, key_of

CHANNEL_TABLE = "millrace-ChannelTable"
READS = "dynamodb:Query"
"""What each function that announces events does with the channel's table."""
READS_TOPICS = frozenset({"SubscribeFunctionRole", "PingFunctionRole"})
"""The roles that have more permissions on the channel's table than the others that announce events."""


def use_channel(world: World) -> None:
    """Use each route, with a job whose result is large and with jobs whose end is missing in their logs."""
    large = _job_with_a_large_result(world)
    with world.idle_state_machines():
        unfinished = [world.user.new_job() for _ in range(2)]
    with _opened(world, "tab") as connection:
        _end_without_event(world, unfinished[0])
        _say(connection, "subscribe", "subscribed", topic=f"job:{unfinished[0]}")
        # An event of this job is too large for a message, so it is sent nothing, and is not subscribed.
        _say(connection, "subscribe", "subscribed", topic=f"job:{large}")
        world.wait_for_invocations("subscribe")
    with _opened(world, "pinging") as connection:
        _end_without_event(world, unfinished[1])
        topics = [f"job:{unfinished[1]}", f"job:{large}"]
        _store_subscriptions(world, "pinging", topics)
        for topic in topics:
            _say(connection, "ping", "pong", positions={topic: 0})
        _say(connection, "unsubscribe", "unsubscribed", topic=f"job:{large}")
        _say(connection, "publish", "error")
        world.wait_for_invocations("ping")
    for message in ("subscribe", "unsubscribe", "ping", "publish"):
        _say_after_the_token_has_expired(world, message)
    for function in ("subscribe", "unsubscribe", "ping", "refuse_message"):
        _serve_a_connection_that_has_ended(world, function)
    _tell_a_connection_that_has_ended(world)
    world.wait_for_invocations("DISCONNECT")


def _opened(world: World, tab: str) -> ClientConnection:
    ticket = data_of(world.post("/connection-tickets", {"tab": tab}), 201)
    offered = [Subprotocol(each) for each in ticket["subprotocols"]]
    return connect(ticket["channelUrl"], subprotocols=offered, open_timeout=PATIENCE)


def opened_connection(world: World, tab: str) -> ClientConnection:
    """Open a connection of the world's user."""
    return _opened(world, tab)


def subscribe(connection: ClientConnection, topic: str) -> None:
    """Subscribe the connection to a topic."""
    _say(connection, "subscribe", "subscribed", topic=topic)


def _say(connection: ClientConnection, kind: str, answer: str, **fields: Any) -> None:
    """Send a message, and read until its answer."""
    connection.send(json.dumps({"type": kind, "id": "1", **fields}))
    while json.loads(connection.recv(timeout=PATIENCE))["type"] != answer:
        pass


def _store_subscriptions(world: World, tab: str, topics: list[str]) -> None:
    """Store what `subscribe` stores.

    `subscribe` reads the topic again for a second. If it had stored the subscriptions, then either it or the ping would
    append the missing end of a job, and the record would depend on which of them is faster.
    """
    database, connection = world.stack.client("dynamodb"), _connection(world, tab)
    for topic in topics:
        key = {"PK": {"S": f"TOPIC#{topic}"}, "SK": {"S": f"CONN#{connection['id']['S']}"}}
        item = {**key, "position": {"N": "0"}, "expiresAt": connection["expiresAt"]}
        database.put_item(TableName=CHANNEL_TABLE, Item=item)
    item = {**connection, "topics": {"L": [{"S": topic} for topic in topics]}}
    database.put_item(TableName=CHANNEL_TABLE, Item=item)


def _connection(world: World, tab: str) -> dict[str, Any]:
    [item] = [each for each in _items(world) if each["SK"]["S"] == "CONN" and each["tab"]["S"] == tab]
    return item


def _say_after_the_token_has_expired(world: World, kind: str) -> None:
    with _opened(world, kind) as connection:
        item = _connection(world, kind)
        world.stack.client("dynamodb").put_item(TableName=CHANNEL_TABLE, Item={**item, "until": {"N": "0"}})
        _say(connection, kind, "closing")
        try:
            connection.recv(timeout=PATIENCE)
        except ConnectionClosed:
            return
        raise AssertionError("the connection was not closed")


def _serve_a_connection_that_has_ended(world: World, function: str) -> None:
    """Let the function find that the token has expired and the connection has ended, so that it removes the connection.

    Of a connection that is open, end_connection may remove everything first.
    """
    gone = {"connectionId": f"Gone-{function}=", "authorizer": {"owner": "gone", "tab": function, "until": "0"}}
    for name in ("open_connection", function):
        [path] = (ROOT / "events/channel").glob(f"{name}.*.json")
        event = json.loads(path.read_text())
        assert (
            world.invoke(name, **{**event, "requestContext": {**event["requestContext"], **gone}})["statusCode"] == 200
        )
    assert [each for each in _items(world) if gone["connectionId"] in each["PK"]["S"]] == []


def _items(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.stack.client("dynamodb").scan(TableName=CHANNEL_TABLE)["Items"]
    return found


def _job_with_a_large_result(world: World) -> str:
    """Return a job whose result is in the bucket, as one of the suggestions' scenario is."""
    for job_id in world.user.jobs(status="completed", pipeline="suggestion"):
        if len(json.dumps(world.user.job(job_id)["result"])) > 100_000:
            return job_id
    raise AssertionError("no job has a large result")


def _end_without_event(world: World, job_id: str) -> None:
    """Store that the job was cancelled, as a process does that then dies before it appends the event.

    `archive_job` learns of the end, and appends the event. It is removed then: otherwise the record would depend on
    whether that function is faster than the next one that reads the log.
    """
    database = world.stack.client("dynamodb")
    database.update_item(
        TableName=JOBS_TABLE,
        Key=key_of(job_id),
        UpdateExpression="SET #status = :cancelled",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":cancelled": {"S": "cancelled"}},
    )
    wait_until(lambda: _events(world, job_id))
    world.wait_for_invocations(job_id)
    for item in _events(world, job_id):
        database.delete_item(TableName=JOBS_TABLE, Key={name: item[name] for name in ("PK", "SK")})


def _events(world: World, job_id: str) -> list[dict[str, Any]]:
    """Return the items of the job's log."""
    values = {":pk": {"S": f"JOB#{job_id}"}, ":prefix": {"S": "EVT#"}}
    found: list[dict[str, Any]] = world.stack.client("dynamodb").query(
        TableName=JOBS_TABLE,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)",
        ExpressionAttributeValues=values,
        ConsistentRead=True,
    )["Items"]
    return found


def _tell_a_connection_that_has_ended(world: World) -> None:
    """Let a job that a connection was subscribed to end after the connection, whose end nothing has told us."""
    job_id = world.user.new_job("hang_after=0")
    world.wait_for_start(job_id)
    database, gone = world.stack.client("dynamodb"), "GoneConnection="
    expires = {"expiresAt": {"N": str(int(time.time()) + 600)}}
    topic = {"PK": {"S": f"TOPIC#job:{job_id}"}, "SK": {"S": f"CONN#{gone}"}, "position": {"N": "0"}}
    stored: dict[str, Any] = {"id": gone, "owner": world.user.name, "tab": "lost"}
    times = {name: {"N": str(int(time.time()))} for name in ("until", "openedAt", "renewedAt")}
    connection = {
        **{name: {"S": text} for name, text in stored.items()},
        **times,
        "topics": {"L": [{"S": f"job:{job_id}"}]},
        "version": {"N": "1"},
    }
    key = {"PK": {"S": f"CONN#{gone}"}, "SK": {"S": "CONN"}}
    database.put_item(TableName=CHANNEL_TABLE, Item={**key, **connection, **expires})
    database.put_item(TableName=CHANNEL_TABLE, Item={**topic, **expires})
    wait_until(lambda: world.user.job(job_id)["lastEventId"] > 0)
    _mark_watched(world, job_id)
    assert world.user.cancel(job_id).status_code == 200
    world.user.ended(job_id)
    wait_until(lambda: not [each for each in _items(world) if gone in each["PK"]["S"] + each["SK"]["S"]])


def _mark_watched(world: World, job_id: str) -> None:
    """Mark the job's log, to which no process appends now, as a subscription does."""
    mark = {**key_of(job_id), "SK": {"S": f"EVT#{world.user.job(job_id)['lastEventId'] + 1:010}"}}
    world.stack.client("dynamodb").put_item(
        TableName=JOBS_TABLE, Item=mark, ConditionExpression="attribute_not_exists(PK)"
    )


CLOSES = "/DELETE/@connections/"
"""The part of an ARN with which a function closes connections: an announcement closes none."""


def with_announcements(used: Collection[tuple[str, ...]], appended: Collection[str]) -> set[tuple[str, ...]]:
    """Return what was used, and for every role that announces events all that an announcement can use.

    These are the roles that have appended to a job's log and may read who is subscribed, and those that have read it.
    All of these functions announce events with the same code. In the scenario an event finds a connection that has
    ended. Which function finds it depends on which of them is the first, and how far the others come depends on who is
    subscribed at that moment, so their records would differ by chance.
    """
    reads = {(role, arn) for role, action, arn in used if action == READS and arn.endswith(CHANNEL_TABLE)}
    tables, grants = {arn for _, arn in reads}, grants_of(Template(ROOT / "template.yaml"))
    announcing = {role for role, _ in reads}
    announcing |= {
        role
        for role in appended
        if any(grant.action == READS and grant.covers(arn) for grant in grants[role] for arn in tables)
    }
    announcements = {
        (action, arn)
        for role, action, arn in used
        if role in announcing - READS_TOPICS
        and (arn.endswith(CHANNEL_TABLE) or action.startswith("execute-api:"))
        and CLOSES not in arn
    }
    return {*used, *((role, *each) for role in announcing for each in announcements)}
