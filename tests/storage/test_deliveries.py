"""The DeliveryStore, in memory and on DynamoDB, keeps deliveries and their bodies; the queue, through botocore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.storage.webhook_deliveries import SqsDeliveryQueue
from shared.webhooks.delivery import BACKSTOP, KEPT, Delivery, DeliveryRef, DeliveryStatus, delivery_id
from shared.webhooks.delivery_store import DeliveryChanged
from shared.webhooks.sender import Outcome, SendError
from tests.fakes.clock import NOON
from tests.storage.at_once import at_once
from tests.storage.ports import AwsServer, Ports

HOOK = "whk_01m7ybm0ew4zx1dhbed1n7hc51"
OTHER_HOOK = "whk_01m7ybm0ew4zx1dhbed1n7hc52"


def a_delivery(owner: str, *, second: int = 0, endpoint_id: str = HOOK, **fields: Any) -> Delivery:
    at = NOON + timedelta(seconds=second)
    event_id = f"evt_{second}"
    values: dict[str, Any] = {
        "id": delivery_id(endpoint_id, event_id, at),
        "owner": owner,
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "event_type": "job.completed",
        "created_at": at,
        "expires_at": int((at + KEPT).timestamp()),
    }
    return Delivery(**{**values, **fields})


@pytest.fixture
def delivery(ports: Ports, owner: str) -> Delivery:
    """A delivery that is stored."""
    return ports.deliveries.put_new(a_delivery(owner), "{}")


class TestDeliveries:
    def test_a_delivery_and_its_body_are_read_as_they_were_stored(self, ports: Ports, owner: str) -> None:
        new = a_delivery(owner).attempted(Outcome(15_000, None, SendError.TIMEOUT), NOON)
        stored = ports.deliveries.put_new(new, '{"für": "alle"}')
        assert stored == new.model_copy(update={"revision": stored.revision})
        assert ports.deliveries.get(stored.ref) == stored
        assert ports.deliveries.body(stored.ref) == '{"für": "alle"}'

    def test_the_first_delivery_and_its_body_stay(self, ports: Ports, delivery: Delivery) -> None:
        assert ports.deliveries.put_new(a_delivery(delivery.owner, job_id="job_2"), "another body") == delivery
        assert ports.deliveries.body(delivery.ref) == "{}"

    def test_nothing_is_returned_of_what_is_not_stored(self, ports: Ports, owner: str) -> None:
        ref = a_delivery(owner).ref
        assert (ports.deliveries.get(ref), ports.deliveries.body(ref)) == (None, None)

    def test_one_of_many_replaces_a_delivery(self, ports: Ports, delivery: Delivery) -> None:
        def claim(number: int) -> bool:
            try:
                ports.deliveries.replace(delivery, delivery.claimed_by(f"claim {number}", NOON))
            except DeliveryChanged:
                return False
            return True

        assert list(at_once(claim)).count(True) == 1

    def test_a_delivery_that_is_not_stored_cannot_be_replaced(self, ports: Ports, owner: str) -> None:
        new = a_delivery(owner, revision="none")
        with pytest.raises(DeliveryChanged):
            ports.deliveries.replace(new, new.ended(DeliveryStatus.DELIVERED, NOON))

    def test_an_expired_delivery_is_not_returned(self, ports: Ports, delivery: Delivery) -> None:
        ports.clock.advance(KEPT.total_seconds())
        assert ports.deliveries.get(delivery.ref) is None
        page = ports.deliveries.list_of(delivery.owner, HOOK, status=None, limit=9, cursor=None)
        assert (page.deliveries, page.cursor) == ([], None)


@pytest.fixture
def many(ports: Ports, owner: str) -> list[Delivery]:
    """Seven deliveries to an endpoint, oldest first, of which every other one was delivered; and one to another."""
    ports.deliveries.put_new(a_delivery(owner, endpoint_id=OTHER_HOOK), "{}")
    stored = [ports.deliveries.put_new(a_delivery(owner, second=second), "{}") for second in range(7)]
    return [
        ports.deliveries.replace(each, each.ended(DeliveryStatus.DELIVERED, NOON)) if number % 2 else each
        for number, each in enumerate(stored)
    ]


class TestLists:
    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    @pytest.mark.parametrize("status", [None, DeliveryStatus.DELIVERED, DeliveryStatus.PENDING, DeliveryStatus.FAILED])
    def test_pages_have_each_delivery_with_the_status_once_newest_first(
        self, ports: Ports, owner: str, many: list[Delivery], limit: int, status: DeliveryStatus | None
    ) -> None:
        seen: list[Delivery] = []
        cursor: str | None = None
        while True:
            page = ports.deliveries.list_of(owner, HOOK, status=status, limit=limit, cursor=cursor)
            assert len(page.deliveries) <= limit
            seen += page.deliveries
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == [each for each in reversed(many) if status in {None, each.status}]

    @pytest.mark.parametrize("cursor", ["", "x", "ZGx2XzE=", "\u00e9"])
    def test_a_wrong_cursor_is_an_error(self, ports: Ports, owner: str, many: list[Delivery], cursor: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - the service says what is wrong
            ports.deliveries.list_of(owner, HOOK, status=None, limit=1, cursor=cursor)

    def test_the_list_since_an_id_is_oldest_first_and_continues(
        self, ports: Ports, owner: str, many: list[Delivery]
    ) -> None:
        page = ports.deliveries.list_since(owner, HOOK, first_id=many[2].id, limit=3)
        assert (list(page.deliveries), page.cursor) == (many[2:5], many[5].id)
        rest = ports.deliveries.list_since(owner, HOOK, first_id=many[5].id, limit=3)
        assert (list(rest.deliveries), rest.cursor) == (many[5:], None)


class TestDue:
    def test_what_waits_is_due_at_its_time_and_not_after_its_end(self, ports: Ports, delivery: Delivery) -> None:
        def due_at(moment: Any) -> list[DeliveryRef]:
            return [ref for ref in ports.deliveries.due(moment) if ref.owner == delivery.owner]

        assert due_at(NOON + timedelta(days=1)) == []
        hour = NOON + timedelta(hours=1)
        waiting = ports.deliveries.replace(delivery, delivery.waiting(hour, due_at=hour + BACKSTOP))
        assert due_at(hour + BACKSTOP - timedelta(seconds=1)) == []
        assert due_at(hour + BACKSTOP) == [delivery.ref]
        ports.deliveries.replace(waiting, waiting.ended(DeliveryStatus.DELIVERED, NOON))
        assert due_at(hour + BACKSTOP) == []


def test_the_erasure_of_an_owner_leaves_nothing_of_theirs_and_all_of_others(
    ports: Ports, owner: str, many: list[Delivery]
) -> None:
    other = ports.deliveries.put_new(a_delivery(f"not {owner}"), "theirs")
    counts = []
    while count := ports.deliveries.erase_some(owner, most=6):
        counts.append(count)
    assert counts == [6, 6, 4]
    assert [ports.deliveries.get(each.ref) for each in many] == [None] * 7
    assert ports.deliveries.body(other.ref) == "theirs"


@pytest.fixture
def queue_url(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    client = server.client("sqs")
    monkeypatch.setattr("shared.storage.webhook_deliveries.sqs", lambda: client)
    url: str = client.create_queue(QueueName="deliveries")["QueueUrl"]
    yield url
    client.delete_queue(QueueUrl=url)


class TestQueue:
    REF = DeliveryRef("ada", HOOK, "dlv_1")

    def test_a_message_names_its_delivery_and_is_in_the_group_of_its_endpoint(
        self, server: AwsServer, queue_url: str
    ) -> None:
        SqsDeliveryQueue(queue_url).send(self.REF)
        received = server.client("sqs").receive_message(
            QueueUrl=queue_url, MessageSystemAttributeNames=["MessageGroupId"]
        )
        [message] = received["Messages"]
        assert DeliveryRef.from_message(json.loads(message["Body"])) == self.REF
        assert message["Attributes"]["MessageGroupId"] == HOOK

    def test_a_delay_is_rounded_up_to_seconds(
        self, server: AwsServer, queue_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        client = server.client("sqs")
        monkeypatch.setattr(client, "send_message", lambda **values: sent.append(values["DelaySeconds"]))
        for seconds in (0, 0.001, 4.9, 900):
            SqsDeliveryQueue(queue_url).send(self.REF, delay=timedelta(seconds=seconds))
        assert sent == [0, 1, 5, 900]
