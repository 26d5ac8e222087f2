"""Spans arrive at the X-Ray daemon, and a missing daemon breaks nothing."""

from __future__ import annotations

import socket
from typing import Any

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


class Full:
    """A socket whose buffer is full at first: what is sent to it then is lost."""

    def __init__(self, whole: socket.socket) -> None:
        self._whole = whole
        self.lost = 0

    def sendto(self, data: bytes, address: Any) -> int:
        if not self.lost:
            self.lost = 1
            return len(data)
        return self._whole.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def test_a_daemon_whose_buffer_is_full_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = XRayDaemon()
    full = Full(daemon._socket)
    monkeypatch.setattr(daemon, "_socket", full)

    daemon.close()

    assert full.lost == 1


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1:notaport", "127.0.0.1:1"])
def test_a_missing_daemon_breaks_nothing(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    with tracing.span("request", at=PLACE):
        pass
