"""Pause an endpoint that keeps failing, and disable one that has failed for days: pure functions of an endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.webhooks.endpoint import DisabledReason, EndpointHealth, EndpointStatus, WebhookEndpoint

FAILURES = 5
"""After this number of failed attempts in a row, of any deliveries, an endpoint is paused."""

SHORTEST_PAUSE = timedelta(minutes=1)
"""The first pause. Each further one is twice as long."""

LONGEST_PAUSE = timedelta(hours=1)
"""The longest pause."""

PROBE_LEASE = timedelta(seconds=60)
"""How long the one attempt after a pause may take before another one may be made instead: longer than an attempt."""

FAILING_DAYS = timedelta(days=5)
"""An endpoint that has only failed for so long is disabled."""


def paused_until(endpoint: WebhookEndpoint, now: datetime) -> datetime | None:
    """Return until when nothing is sent to the endpoint; None if it is not paused now."""
    until = endpoint.health.paused_until
    return until if until is not None and until > now else None


def needs_probe(endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Return whether a pause is over, so that one attempt has to show whether the endpoint works again."""
    return endpoint.health.paused_until is not None and endpoint.health.paused_until <= now


def with_probe(endpoint: WebhookEndpoint, now: datetime) -> WebhookEndpoint:
    """Return the endpoint while one attempt probes it: paused for all others until PROBE_LEASE has passed."""
    return _with(endpoint, paused_until=now + PROBE_LEASE)


def after_success(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Return the endpoint after an attempt that succeeded, with no failure counted."""
    status = EndpointStatus.ENABLED if endpoint.status is EndpointStatus.PAUSED else endpoint.status
    return endpoint.model_copy(update={"health": EndpointHealth(), "status": status})


def after_failure(endpoint: WebhookEndpoint, now: datetime, *, probe: bool) -> WebhookEndpoint:
    """Return the endpoint after an attempt that failed; `probe`: it was the one attempt after a pause.

    While an endpoint is paused, failures of attempts that began before change nothing.
    """
    if endpoint.disabled or (paused_until(endpoint, now) is not None and not probe):
        return endpoint
    health = endpoint.health
    since = health.failing_since or now
    failed = _with(endpoint, consecutive_failures=health.consecutive_failures + 1, failing_since=since)
    if now - since >= FAILING_DAYS:
        return failed.disabled_for(DisabledReason.FAILING, now)
    if failed.health.consecutive_failures < FAILURES:
        return failed
    pause = max(SHORTEST_PAUSE, min(timedelta(seconds=2 * health.pause_seconds), LONGEST_PAUSE))
    paused = _with(failed, paused_until=now + pause, pause_seconds=int(pause.total_seconds()))
    return paused.model_copy(update={"status": EndpointStatus.PAUSED})


def _with(endpoint: WebhookEndpoint, **health: object) -> WebhookEndpoint:
    return endpoint.model_copy(update={"health": endpoint.health.model_copy(update=health)})
