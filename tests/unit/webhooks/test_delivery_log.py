"""What an owner sees of deliveries, and how events are sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import Conflict, InvalidInput, NotFound
from shared.webhooks import delivery_log
from shared.webhooks.delivery import Delivery, DeliveryStatus
from shared.webhooks.endpoint import DisabledReason, WebhookEndpoint, new_endpoint_id
from shared.webhooks.sender import Outcome
from tests.fakes.clock import NOON
from tests.unit.webhooks.world import World, a_transition, always

GONE, NO = Outcome(5, 410), Outcome(5, 500)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def endpoint(world: World) -> WebhookEndpoint:
    return world.with_endpoint()


def all_of(world: World, endpoint: WebhookEndpoint, status: DeliveryStatus | None = None) -> list[Delivery]:
    return list(world.log.page("ada", endpoint.id, status=status, limit=100, cursor=None).deliveries)


def failed_ones(world: World, endpoint: WebhookEndpoint, count: int) -> WebhookEndpoint:
    """Let `count` events, a second apart, be given up, because the endpoint was disabled; then enable it."""
    for second in range(count):
        world.happens(a_transition(at=NOON + timedelta(seconds=second)))
    world.endpoints.replace(world.endpoint(endpoint), endpoint.disabled_for(DisabledReason.OWNER, NOON))
    world.receive()
    return world.endpoints.replace(world.endpoint(endpoint), world.endpoint(endpoint).enabled())


def test_the_newest_event_is_first_in_pages(world: World, endpoint: WebhookEndpoint) -> None:
    for second in range(5):
        world.happens(a_transition(at=NOON + timedelta(seconds=second)))
    seen: list[Delivery] = []
    cursor: str | None = None
    while True:
        page = world.log.page("ada", endpoint.id, status=None, limit=2, cursor=cursor)
        seen += page.deliveries
        cursor = page.cursor
        if cursor is None:
            break
    assert [(each.created_at - NOON).seconds for each in seen] == [4, 3, 2, 1, 0]


def test_deliveries_are_filtered_by_status(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    world.receive()
    world.happens(a_transition())
    assert len(all_of(world, endpoint)) == 2
    assert len(all_of(world, endpoint, DeliveryStatus.DELIVERED)) == 1
    assert all_of(world, endpoint, DeliveryStatus.FAILED) == []


def test_a_replay_sends_the_same_id_and_bytes_with_the_schedule_at_its_start(
    world: World, endpoint: WebhookEndpoint
) -> None:
    world.happens(a_transition())
    world.receive()
    [delivered] = all_of(world, endpoint)
    world.clock.advance(3600)
    world.sender.answer = always(NO)
    again = world.log.replay("ada", endpoint.id, delivered.id)
    assert (again.status, again.round_attempts, again.attempt_count) == (DeliveryStatus.PENDING, 0, 1)
    assert [each.value for each in world.receive()] == ["retried"]
    first, second = world.sender.requests
    assert (first.id, first.body) == (second.id, second.body)
    [now] = all_of(world, endpoint)
    assert (now.round_attempts, now.attempt_count) == (1, 2)


def test_a_pending_delivery_can_be_sent_at_once(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = always(NO)
    world.happens(a_transition())
    world.receive()
    [waiting] = all_of(world, endpoint)
    world.sender.answer = always(Outcome(5, 204))
    world.log.replay("ada", endpoint.id, waiting.id)
    assert [each.value for each in world.receive()] == ["delivered"]


def test_a_replay_during_an_attempt_is_a_conflict(world: World, endpoint: WebhookEndpoint) -> None:
    refused: list[str] = []

    def answer(_: object) -> Outcome:
        [delivery] = all_of(world, endpoint)
        with pytest.raises(Conflict) as conflict:
            world.log.replay("ada", endpoint.id, delivery.id)
        refused.append(conflict.value.message)
        return Outcome(5, 200)

    world.sender.answer = answer
    world.happens(a_transition())
    world.receive()
    assert "wait until it has ended" in refused[0]


def test_what_was_given_up_is_sent_again_once(world: World, endpoint: WebhookEndpoint) -> None:
    failed_ones(world, endpoint, 3)
    world.happens(a_transition(at=NOON + timedelta(seconds=9)))
    assert len(all_of(world, endpoint, DeliveryStatus.DISCARDED)) == 3
    world.clock.advance(60)
    recovery = world.log.recover("ada", endpoint.id, since=NOON + timedelta(seconds=1))
    assert (recovery.recovered, recovery.cursor) == (2, None)
    assert world.log.recover("ada", endpoint.id, since=NOON).recovered == 1  # only what was not sent again yet
    world.receive()
    assert len(all_of(world, endpoint, DeliveryStatus.DELIVERED)) == 4
    assert world.log.recover("ada", endpoint.id, since=NOON).recovered == 0
    assert len({each.id for each in world.sender.requests}) == 4


def test_a_recovery_is_bounded_and_continues_at_its_cursor(
    world: World, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "LOOKED_AT", 2)
    failed_ones(world, endpoint, 5)
    counts, cursor = [], None
    while True:
        recovery = world.log.recover("ada", endpoint.id, since=NOON, cursor=cursor)
        counts.append(recovery.recovered)
        cursor = recovery.cursor
        if cursor is None:
            break
    assert counts == [2, 2, 1]


def test_a_recovery_that_dies_before_its_message_is_completed_by_the_sweep(
    world: World, endpoint: WebhookEndpoint
) -> None:
    failed_ones(world, endpoint, 1)
    world.log.recover("ada", endpoint.id, since=NOON)
    world.queue.messages.clear()
    assert [each.value for each in world.pass_time(1200)] == ["delivered"]


def test_nothing_is_sent_again_to_a_disabled_endpoint(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = always(GONE)
    world.happens(a_transition())
    world.receive()
    [failed] = all_of(world, endpoint)
    for again in (
        lambda: world.log.replay("ada", endpoint.id, failed.id),
        lambda: world.log.recover("ada", endpoint.id, since=NOON),
    ):
        with pytest.raises(Conflict, match="enable it first"):
            again()


@pytest.mark.parametrize("wrong", ["", "whk_", "dlv_1", "../..", "x" * 100_000])
def test_unknown_ids_are_not_found(world: World, endpoint: WebhookEndpoint, wrong: str) -> None:
    unknown = new_endpoint_id(0)
    for each in (wrong, unknown):
        with pytest.raises(NotFound) as error:
            world.log.page("ada", each, status=None, limit=1, cursor=None)
        assert len(error.value.message) < 200
    with pytest.raises(NotFound):
        world.log.replay("ada", endpoint.id, wrong)
    with pytest.raises(NotFound):
        world.log.one("bob", endpoint.id, wrong)


def test_another_user_has_no_such_webhook(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    [delivery] = all_of(world, endpoint)
    with pytest.raises(NotFound, match="you have no webhook"):
        world.log.one("bob", endpoint.id, delivery.id)


@pytest.mark.parametrize("since", [NOON + timedelta(seconds=1), NOON - timedelta(days=32)])
def test_a_time_of_which_nothing_is_stored_is_refused(world: World, endpoint: WebhookEndpoint, since: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.log.recover("ada", endpoint.id, since=since)  # type: ignore[arg-type]
    assert refused.value.issues[0].field == "since"


def test_a_cursor_of_something_else_is_refused(world: World, endpoint: WebhookEndpoint) -> None:
    with pytest.raises(InvalidInput):
        world.log.page("ada", endpoint.id, status=None, limit=1, cursor="whk_1")
    with pytest.raises(InvalidInput):
        world.log.recover("ada", endpoint.id, since=NOON, cursor="whk_1")
