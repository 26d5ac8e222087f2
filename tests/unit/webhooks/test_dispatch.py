"""Each change of a job makes one delivery for each endpoint that wants it, however often it is seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.jobs.job import JobStatus
from shared.webhooks.delivery import DeliveryStatus
from shared.webhooks.endpoint import DisabledReason, EndpointStatus, Inclusion, WebhookEndpoint, WebhookEventType
from shared.webhooks.event import id_of
from tests.fakes.clock import NOON
from tests.fakes.webhooks import FakeWebhookStore
from tests.unit.webhooks.world import World, a_transition


@pytest.fixture
def world() -> World:
    return World()


def test_a_change_makes_one_delivery_for_each_endpoint_and_one_message(world: World) -> None:
    first, second = world.with_endpoint(), world.with_endpoint()
    transition = a_transition()
    assert world.happens(transition) == 2
    made = [world.only_delivery(each) for each in (first, second)]
    assert [each.event_id for each in made] == [id_of(transition)] * 2
    assert {each.ref for each in made} == set(world.queue.take())


def test_a_record_that_is_seen_twice_makes_one_delivery_and_sends_nothing_again(world: World) -> None:
    endpoint = world.with_endpoint()
    transition = a_transition()
    world.happens(transition)
    assert [each.value for each in world.receive()] == ["delivered"]
    world.happens(transition)
    assert world.receive() == []
    assert world.only_delivery(endpoint).status is DeliveryStatus.DELIVERED


def test_a_record_that_is_seen_again_before_its_attempt_sends_the_message_again(world: World) -> None:
    """The process may have died between the delivery and its message."""
    world.with_endpoint()
    transition = a_transition()
    world.happens(transition)
    lost = world.queue.take()
    world.happens(transition)
    assert world.queue.take() == lost


@pytest.mark.parametrize(
    "fields",
    [
        {"event_types": (WebhookEventType.FAILED,)},
        {"pipelines": ("song",)},
        {"owner": "bob"},
        {"created_at": NOON + timedelta(seconds=1)},
        {
            "status": EndpointStatus.DISABLED,
            "disabled_reason": DisabledReason.OWNER,
            "disabled_at": NOON,
        },
    ],
)
def test_an_endpoint_that_does_not_want_the_event_gets_no_delivery(world: World, fields: dict[str, Any]) -> None:
    world.with_endpoint(**fields)
    assert world.happens(a_transition()) == 0
    assert world.queue.messages == []


class CountingStore(FakeWebhookStore):
    """Counts how often the endpoints of an owner are read."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    def list_of(self, owner: str) -> Sequence[WebhookEndpoint]:
        self.lists += 1
        return super().list_of(owner)


def test_the_endpoints_of_an_owner_are_read_once_for_a_batch_and_again_for_the_next() -> None:
    counting = CountingStore()
    world = World(wrap=lambda port: counting if isinstance(port, FakeWebhookStore) else port)
    world.endpoints = counting
    batch = world.dispatch.batch()
    assert [batch.handle(a_transition()) for _ in range(3)] == [0, 0, 0]
    assert counting.lists == 1
    world.with_endpoint()
    assert world.happens(a_transition()) == 1  # the endpoint is seen at once
    assert counting.lists == 2


def test_the_result_is_sent_to_the_endpoints_that_ask_for_it_only(world: World) -> None:
    plain, full = world.with_endpoint(), world.with_endpoint(include=(Inclusion.RESULT,))
    transition = a_transition()
    world.results[transition.job.id] = {"lines": ["one"]}
    world.happens(transition)
    bodies = [world.deliveries.body(world.only_delivery(each).ref) for each in (plain, full)]
    assert [json.loads(body or "")["data"].get("result") for body in bodies] == [None, {"lines": ["one"]}]


def test_the_first_body_is_the_one_that_every_attempt_sends(world: World) -> None:
    endpoint = world.with_endpoint(include=(Inclusion.RESULT,))
    transition = a_transition()
    world.results[transition.job.id] = {"lines": ["one"]}
    world.happens(transition)
    before = world.deliveries.body(world.only_delivery(endpoint).ref)
    del world.results[transition.job.id]  # the job has expired meanwhile
    world.happens(transition)
    assert world.deliveries.body(world.only_delivery(endpoint).ref) == before


def test_only_a_completed_job_has_a_result(world: World) -> None:
    world.with_endpoint(include=(Inclusion.RESULT,))
    world.happens(a_transition(JobStatus.FAILED))
    world.receive()
    assert "result" not in json.loads(world.sender.requests[0].body)["data"]
