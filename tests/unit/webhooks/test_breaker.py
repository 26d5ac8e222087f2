"""An endpoint that keeps failing is paused for longer and longer, and disabled after five days."""

from __future__ import annotations

from datetime import timedelta

from shared.webhooks.breaker import (
    FAILURES,
    PROBE_LEASE,
    after_failure,
    after_success,
    needs_probe,
    paused_until,
    with_probe,
)
from shared.webhooks.endpoint import DisabledReason, EndpointHealth, EndpointStatus, WebhookEndpoint
from tests.fakes.clock import NOON
from tests.unit.webhooks.world import an_endpoint

MINUTE = timedelta(minutes=1)


def failed(times: int) -> WebhookEndpoint:
    endpoint = an_endpoint()
    for _ in range(times):
        endpoint = after_failure(endpoint, NOON, probe=False)
    return endpoint


def test_the_fifth_failure_in_a_row_pauses_for_a_minute() -> None:
    assert paused_until(failed(FAILURES - 1), NOON) is None
    paused = failed(FAILURES)
    assert paused.status is EndpointStatus.PAUSED
    assert paused_until(paused, NOON) == NOON + MINUTE


def test_a_success_in_between_begins_the_count_again() -> None:
    endpoint = after_success(failed(FAILURES - 1))
    assert endpoint.health == EndpointHealth()
    assert paused_until(after_failure(endpoint, NOON, probe=False), NOON) is None


def test_failures_of_attempts_that_began_before_the_pause_change_nothing() -> None:
    paused = failed(FAILURES)
    assert after_failure(paused, NOON, probe=False) == paused


def test_each_failed_probe_doubles_the_pause_up_to_an_hour() -> None:
    endpoint, now, pauses = failed(FAILURES), NOON, []
    for _ in range(8):
        until = paused_until(endpoint, now)
        assert until is not None
        pauses.append((until - now) / MINUTE)
        now = until
        assert needs_probe(endpoint, now)
        endpoint = with_probe(endpoint, now)
        assert paused_until(endpoint, now) == now + PROBE_LEASE  # nothing else is sent meanwhile
        endpoint = after_failure(endpoint, now, probe=True)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_probe_that_succeeds_ends_the_pauses() -> None:
    endpoint = after_success(with_probe(failed(FAILURES), NOON + MINUTE))
    assert (endpoint.status, endpoint.health) == (EndpointStatus.ENABLED, EndpointHealth())


def test_five_days_of_failures_disable() -> None:
    endpoint = failed(1)
    later = NOON + timedelta(days=5)
    assert not after_failure(endpoint, later - timedelta(seconds=1), probe=False).disabled
    disabled = after_failure(endpoint, later, probe=False)
    assert (disabled.status, disabled.disabled_reason) == (EndpointStatus.DISABLED, DisabledReason.FAILING)
    assert after_failure(disabled, later, probe=False) == disabled


def test_a_success_that_ends_late_does_not_enable_a_disabled_endpoint() -> None:
    disabled = failed(1).disabled_for(DisabledReason.OWNER, NOON)
    assert after_success(disabled).disabled
