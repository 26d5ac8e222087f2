"""Spans arrive at the X-Ray daemon, and a missing daemon breaks nothing."""

from __future__ import annotations

import pytest

from local.aws.xray import XRayDaemon
from shared.observability import tracing
from shared.observability.tracing import TraceHeader
from tests.api_user import wait_until

PLACE = TraceHeader("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8", sampled=True)


def test_the_daemon_gets_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = XRayDaemon()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
    with tracing.span("request", at=PLACE):
        pass

    (document,) = wait_until(lambda: daemon.trace(PLACE.trace_id))
    assert document["parent_id"] == PLACE.parent_id
    daemon.close()


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:notaport", "127.0.0.1:1"])
def test_a_missing_daemon_breaks_nothing(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    with tracing.span("request", at=PLACE):
        pass
