"""Use every function of the deliveries of webhooks."""

from __future__ import annotations

import socket
from typing import Any

from tests.api_user import AT_ONCE, DISCARDING_URL, data_of, wait_until
from tests.permissions.world import LONG_AGO, World
from tests.webhooks.receiver import OK, Receiver, answering

DELIVERIES_TABLE = "millrace-DeliveriesTable"
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"


def be_told_of_results(world: World) -> None:
    """Create a webhook that is told of every completed job from now on, also of results that are in the bucket."""
    body = {"url": DISCARDING_URL, "eventTypes": ["job.completed"], "include": ["result"]}
    data_of(world.user.api.post("/webhooks", json=body), 201)


def use_deliveries(world: World) -> None:
    """Let a webhook be told of a job with its result: fail, be found by the sweep, be shown and be sent again."""
    answers = [BUSY]

    def answer(connection: socket.socket) -> None:
        answering(answers.pop() if answers else OK)(connection)

    with Receiver(answer).serving() as receiver:
        body = {"url": f"http://127.0.0.1:{receiver.port}/", "eventTypes": ["job.completed"], "include": ["result"]}
        webhook = f"/webhooks/{data_of(world.user.api.post('/webhooks', json=body), 201)['webhookId']}"
        world.user.ended(world.user.new_job(AT_ONCE))
        delivery = wait_until(lambda: _tried(world, webhook))
        one = f"{webhook}/deliveries/{delivery['deliveryId']}"
        _let_it_be_due(world, webhook.rpartition("/")[2], delivery["deliveryId"])
        # One attempt has ended before the next one is asked for: otherwise chance decides how many there are.
        world.invoke("sweep_deliveries")
        wait_until(lambda: world.get(one)["status"] == "delivered")
        data_of(world.user.api.post(f"{one}/replay"))
        wait_until(lambda: world.get(one)["attemptCount"] == 3)
    data_of(world.user.api.patch(webhook, json={"status": "disabled"}))
    data_of(world.user.api.patch(webhook, json={"status": "enabled"}))
    _give_up(world, webhook.rpartition("/")[2], delivery["deliveryId"])
    since = {"since": delivery["createdAt"]}
    assert data_of(world.user.api.post(f"{webhook}/recover", json=since))["recovered"] == 1
    wait_until(lambda: world.get(one)["attemptCount"] == 4)
    data_of(world.user.api.delete(webhook))


def _tried(world: World, webhook: str) -> Any:
    found = [each for each in world.get(f"{webhook}/deliveries")["deliveries"] if each["attemptCount"]]
    return found[0] if found else None


def _let_it_be_due(world: World, webhook_id: str, delivery_id: str) -> None:
    """Change the stored delivery, which waits for an hour, so that it is due."""
    _change(
        world,
        webhook_id,
        delivery_id,
        "SET sweepAt = :then, dueAt = :then, nextAttemptAt = :then",
        {":then": {"S": LONG_AGO}},
    )


def _give_up(world: World, webhook_id: str, delivery_id: str) -> None:
    values = {":failed": {"S": "failed"}}
    _change(world, webhook_id, delivery_id, "SET #status = :failed", values, {"#status": "status"})


def _change(world: World, webhook_id: str, delivery_id: str, expression: str, values: Any, names: Any = None) -> None:
    named = {"ExpressionAttributeNames": names} if names else {}
    world.stack.client("dynamodb").update_item(
        TableName=DELIVERIES_TABLE,
        Key={"PK": {"S": f"DELIVERIES#{world.user.name}"}, "SK": {"S": f"{webhook_id}#{delivery_id}"}},
        UpdateExpression=expression,
        ExpressionAttributeValues=values,
        **named,
    )
