"""Attempts at a delivery: what each response leads to, over the whole schedule."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from shared.webhooks.attempts import AttemptResult
from shared.webhooks.breaker import FAILURES
from shared.webhooks.delivery import CLAIM, KEPT_ATTEMPTS, DeliveryStatus
from shared.webhooks.endpoint import DisabledReason, EndpointHealth, EndpointStatus, WebhookEndpoint
from shared.webhooks.schedule import STANDARD
from shared.webhooks.sender import Outcome, SendError
from shared.webhooks.store import change_endpoint
from tests.fakes.clock import NOON
from tests.fakes.webhooks import fake_webhook_secrets
from tests.unit.webhooks.world import World, a_transition, always, in_turn

OK, NO = Outcome(12, 200), Outcome(30, 500)
DAY = 86_400
SHORT = timedelta(minutes=15)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def endpoint(world: World) -> WebhookEndpoint:
    return world.with_endpoint()


def test_an_accepted_event_is_delivered_with_one_request(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    assert world.receive() == [AttemptResult.DELIVERED]
    delivery = world.only_delivery(endpoint)
    assert (delivery.status, delivery.attempt_count, delivery.due_at) == (DeliveryStatus.DELIVERED, 1, None)
    [attempt] = delivery.attempts
    assert (attempt.number, attempt.status_code, attempt.error, attempt.milliseconds) == (1, 200, None, 12)
    [request] = world.sender.requests
    assert (request.url, request.id) == (endpoint.url, delivery.event_id)
    assert request.body.decode() == world.deliveries.body(delivery.ref)


def test_a_message_that_is_received_again_sends_nothing(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    [ref] = world.queue.take()
    assert [world.attempts.attempt(ref) for _ in range(3)] == ["delivered", "ended", "ended"]
    assert len(world.sender.requests) == 1


def test_a_delivery_that_is_not_stored_any_more_is_over(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    [ref] = world.queue.take()
    world.clock.advance(31 * DAY)
    assert world.attempts.attempt(ref) is AttemptResult.ENDED
    assert world.sender.requests == []


def test_two_processes_make_one_attempt(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    [ref] = world.queue.take()
    others: list[AttemptResult] = []

    def answer(_: object) -> Outcome:
        others.append(world.attempts.attempt(ref))  # the same message, while the first attempt is being made
        return OK

    world.sender.answer = answer
    assert world.attempts.attempt(ref) is AttemptResult.DELIVERED
    assert (others, len(world.sender.requests)) == ([AttemptResult.CLAIMED], 1)


def test_the_claim_of_a_process_that_died_is_taken_over(world: World, endpoint: WebhookEndpoint) -> None:
    class Killed(BaseException):
        pass

    def killed(_: object) -> Outcome:
        raise Killed

    world.happens(a_transition())
    [ref] = world.queue.take()
    world.sender.answer = killed
    with pytest.raises(Killed):
        world.attempts.attempt(ref)
    world.sender.answer = always(OK)
    assert world.attempts.attempt(ref) is AttemptResult.CLAIMED
    world.clock.advance(CLAIM.total_seconds())
    assert world.attempts.attempt(ref) is AttemptResult.DELIVERED
    assert len(world.sender.requests) == 2  # at least once: nobody knows whether the first one has arrived


def test_a_message_that_came_twice_arrives_although_the_process_with_the_claim_dies(
    world: World, endpoint: WebhookEndpoint
) -> None:
    class Killed(BaseException):
        pass

    def killed(_: object) -> Outcome:
        assert world.attempts.attempt(ref) is AttemptResult.CLAIMED  # the same message, which is deleted after that
        raise Killed

    world.happens(a_transition())
    [ref] = world.queue.take()
    world.sender.answer = killed
    with pytest.raises(Killed):
        world.attempts.attempt(ref)
    world.sender.answer = always(OK)
    assert world.pass_time(CLAIM.total_seconds()) == [AttemptResult.DELIVERED]


def test_a_process_that_was_taken_over_records_nothing(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    [ref] = world.queue.take()
    asked = []

    def slow_at_first(_: object) -> Outcome:
        asked.append(ref)
        if len(asked) == 1:
            world.clock.advance(CLAIM.total_seconds())
            assert world.attempts.attempt(ref) is AttemptResult.DELIVERED
            return NO
        return OK

    world.sender.answer = slow_at_first
    assert world.attempts.attempt(ref) is AttemptResult.CLAIMED
    delivery = world.only_delivery(endpoint)
    assert (delivery.status, delivery.attempt_count) == (DeliveryStatus.DELIVERED, 1)


def test_a_receiver_that_never_accepts_gets_eight_requests_over_a_day_with_the_same_bytes(world: World) -> None:
    endpoint = world.with_endpoint()
    world.sender.answer = always(NO)
    world.happens(a_transition())
    results = world.receive() + world.pass_time(2 * DAY)
    assert results.count(AttemptResult.RETRIED) == STANDARD.attempts - 1
    assert results.count(AttemptResult.FAILED) == 1
    delivery = world.only_delivery(endpoint)
    assert (delivery.status, delivery.attempt_count) == (DeliveryStatus.FAILED, 8)
    requests = world.sender.requests
    assert len({(each.id, each.body) for each in requests}) == 1
    assert len({each.headers["webhook-timestamp"] for each in requests}) == 8
    times = [each.at - NOON for each in delivery.attempts]
    assert times[0] == timedelta()
    assert timedelta(hours=20) < times[-1] < timedelta(hours=34)
    assert world.queue.messages == []


def test_a_later_attempt_that_is_accepted_ends_the_delivery(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = in_turn(NO, Outcome(15_000, None, SendError.TIMEOUT), OK)
    world.happens(a_transition())
    world.receive()
    world.pass_time(3600)
    delivery = world.only_delivery(endpoint)
    told = [(each.number, each.status_code, each.error) for each in delivery.attempts]
    assert told == [(1, 500, None), (2, None, "TIMEOUT"), (3, 200, None)]
    assert world.endpoint(endpoint).health == EndpointHealth()


@pytest.mark.parametrize(("asked", "seconds"), [("60", 60), ("Sun, 01 Mar 2026 12:10:00 GMT", 600), ("3600", 3600)])
def test_retry_after_is_honoured(world: World, endpoint: WebhookEndpoint, asked: str, seconds: float) -> None:
    world.sender.answer = in_turn(Outcome(5, 429, None, asked))
    world.happens(a_transition())
    world.receive()
    assert world.only_delivery(endpoint).next_attempt_at == NOON + timedelta(seconds=seconds)
    assert world.pass_time(seconds - 1) == []
    assert world.pass_time(1) == [AttemptResult.DELIVERED]


def test_a_wait_that_the_queue_cannot_hold_is_in_the_index_of_the_sweep(
    world: World, endpoint: WebhookEndpoint
) -> None:
    world.sender.answer = in_turn(Outcome(5, 503, None, "3600"))
    world.happens(a_transition())
    world.receive()
    assert world.queue.messages == []
    world.clock.advance(3600 - 301)
    assert world.sweep.run().queued == 0
    world.clock.advance(1)
    assert world.sweep.run().queued == 1
    assert world.sweep.run().queued == 0  # it is in the queue, which holds it back to its time
    [message] = world.queue.messages
    assert message.at == NOON + timedelta(hours=1)


def test_a_retry_whose_message_was_lost_is_found_by_the_sweep(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = in_turn(NO)
    world.happens(a_transition())
    world.receive()
    world.queue.messages.clear()
    assert AttemptResult.DELIVERED in world.pass_time(1800)


def test_a_message_that_comes_too_early_is_sent_again_for_the_time(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = in_turn(NO)
    world.happens(a_transition())
    [ref] = world.queue.take()
    world.attempts.attempt(ref)
    world.queue.messages.clear()  # the process has died before it could send the message
    assert world.attempts.attempt(ref) is AttemptResult.WAITING
    [message] = world.queue.messages
    assert message.at == world.only_delivery(endpoint).next_attempt_at


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404])
def test_a_redirect_and_a_refusal_are_failures_that_are_tried_again(
    world: World, endpoint: WebhookEndpoint, status: int
) -> None:
    world.sender.answer = always(Outcome(5, status))
    world.happens(a_transition())
    assert world.receive() == [AttemptResult.RETRIED]


def test_gone_disables_the_endpoint_and_what_is_pending_is_discarded(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = always(Outcome(5, 410))
    world.happens(a_transition())
    world.happens(a_transition())
    assert world.receive() == [AttemptResult.FAILED, AttemptResult.DISCARDED]
    stored = world.endpoint(endpoint)
    assert (stored.disabled, stored.disabled_reason, stored.disabled_at) == (True, DisabledReason.GONE, NOON)
    assert len(world.sender.requests) == 1
    assert world.happens(a_transition()) == 0


@pytest.mark.parametrize("deleted", [True, False])
def test_nothing_is_sent_to_an_endpoint_that_was_disabled_or_deleted_meanwhile(
    world: World, endpoint: WebhookEndpoint, deleted: bool
) -> None:
    world.happens(a_transition())
    if deleted:
        world.endpoints.remove(endpoint.owner, endpoint.id)
    else:
        disabled = endpoint.disabled_for(DisabledReason.OWNER, NOON)
        world.endpoints.replace(endpoint, disabled)
    assert world.receive() == [AttemptResult.DISCARDED]
    assert world.sender.requests == []
    assert world.only_delivery(endpoint).status is DeliveryStatus.DISCARDED


def test_five_failures_pause_the_endpoint_and_one_probe_ends_the_pause(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = always(NO)
    for _ in range(20):
        world.happens(a_transition())
    results = world.receive()
    assert (results.count(AttemptResult.RETRIED), results.count(AttemptResult.PAUSED)) == (FAILURES, 20 - FAILURES)
    assert world.endpoint(endpoint).status is EndpointStatus.PAUSED
    assert len(world.sender.requests) == FAILURES
    assert AttemptResult.RETRIED not in world.pass_time(59)
    assert len(world.sender.requests) == FAILURES
    world.pass_time(60)  # over the end of the pause, and not to the end of the next one
    assert len(world.sender.requests) == FAILURES + 1  # the probe, which failed
    world.sender.answer = always(OK)
    world.pass_time(3600)
    assert world.endpoint(endpoint).status is EndpointStatus.ENABLED
    page = world.deliveries.list_of("ada", endpoint.id, status=DeliveryStatus.DELIVERED, limit=100, cursor=None)
    assert len(page.deliveries) == 20


def test_a_probe_whose_process_dies_is_followed_by_another(world: World, endpoint: WebhookEndpoint) -> None:
    class Killed(BaseException):
        pass

    def killed(_: object) -> Outcome:
        raise Killed

    paused = endpoint.model_copy(
        update={
            "status": EndpointStatus.PAUSED,
            "health": EndpointHealth(consecutive_failures=5, failing_since=NOON, paused_until=NOON, pause_seconds=60),
        }
    )
    world.endpoints.replace(endpoint, paused)
    world.happens(a_transition())
    world.happens(a_transition())
    first, second = world.queue.take()
    world.sender.answer = killed
    with pytest.raises(Killed):
        world.attempts.attempt(first)
    world.sender.answer = always(OK)
    assert world.attempts.attempt(second) is AttemptResult.PAUSED
    world.clock.advance(95)
    assert world.attempts.attempt(second) is AttemptResult.DELIVERED
    assert world.endpoint(endpoint).status is EndpointStatus.ENABLED


def test_five_days_of_failures_disable_the_endpoint(world: World, endpoint: WebhookEndpoint) -> None:
    world.sender.answer = always(NO)
    for day in (0, 5):
        world.clock.advance(day * DAY)
        world.happens(a_transition(at=world.clock()))
        world.receive()
    stored = world.endpoint(endpoint)
    assert (stored.disabled, stored.disabled_reason) == (True, DisabledReason.FAILING)


def test_each_request_is_signed_for_its_own_time(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    world.receive()
    [request] = world.sender.requests
    secret = fake_webhook_secrets(world.clock).shown(endpoint.id, endpoint.signing_keys[0])
    assert base64.b64decode(secret.removeprefix("whsec_"))
    assert request.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    signature = Webhook(secret).sign(request.id, NOON, request.body.decode())
    assert request.headers["webhook-signature"] == signature


def test_a_body_that_is_lost_ends_the_delivery_without_a_request(
    world: World, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.happens(a_transition())
    monkeypatch.setattr(world.deliveries, "body", lambda _: None)
    assert world.receive() == [AttemptResult.FAILED]
    assert world.sender.requests == []


def test_a_delivery_tells_its_latest_attempts_and_counts_all(world: World, endpoint: WebhookEndpoint) -> None:
    world.happens(a_transition())
    world.receive()
    for _ in range(KEPT_ATTEMPTS + 5):
        world.log.replay("ada", endpoint.id, world.only_delivery(endpoint).id)
        world.receive()
    delivery = world.only_delivery(endpoint)
    assert delivery.attempt_count == KEPT_ATTEMPTS + 6
    assert [each.number for each in delivery.attempts] == list(range(7, KEPT_ATTEMPTS + 7))


def test_an_endpoint_that_is_deleted_during_the_attempt_ends_the_delivery(
    world: World, endpoint: WebhookEndpoint
) -> None:
    def deleting(_: object) -> Outcome:
        world.endpoints.remove(endpoint.owner, endpoint.id)
        return NO

    world.sender.answer = deleting
    world.happens(a_transition())
    assert world.receive() == [AttemptResult.DISCARDED]
    assert change_endpoint(world.endpoints, endpoint.owner, endpoint.id, lambda each: each) is None
