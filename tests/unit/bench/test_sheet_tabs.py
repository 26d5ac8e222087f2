"""The tabs of `make bench-sheets`: an event that does not come ends the bench, which tells what it has received."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.api_user import ApiUser
from tests.bench import sheet_tabs
from tests.bench.sheet_tabs import Blocks, Tab
from tests.follower import Channel


class SilentChannel:
    """A channel that sends these messages and then nothing; `sent` has what it was sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> str:
        self.sent.append({"type": kind, **fields})
        return "1"

    def answer(self, _: str) -> None:
        pass

    def receive(self, _: float) -> dict[str, Any]:
        if not self.messages:
            raise TimeoutError
        return self.messages.pop(0)


def tab(channel: SilentChannel) -> Tab:
    api = SimpleNamespace(get=lambda _: SimpleNamespace(text="version 7"))
    blocks = Blocks(cast("ApiUser", SimpleNamespace(api=api)), "ses_1", "Data", "J")
    return Tab(blocks, cast("Channel", channel), 4)


def event(seq: int, kind: str, version: int = 0) -> dict[str, Any]:
    return {"type": "events", "events": [[seq, {"type": kind, "version": version, "blocks": []}]]}


def test_an_event_that_does_not_come_ends_the_wait_with_what_was_received(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_tabs, "LONGEST_WAIT_SECONDS", 0.0)
    with pytest.raises(AssertionError, match=r"no event of version 7 .* number 5, .*'events'.* session is version 7"):
        tab(SilentChannel(event(5, "state"))).show(7, [])


def test_a_tab_that_is_stopped_waits_no_longer() -> None:
    stopped = tab(SilentChannel())
    stopped.stop()
    with pytest.raises(AssertionError, match="stopped while waiting"):
        stopped.show(7, [])


def test_a_snapshot_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_tabs, "LONGEST_WAIT_SECONDS", 600.0)
    with pytest.raises(AssertionError, match="snapshot"):
        tab(SilentChannel(event(7, "snapshot"))).show(7, [])


def test_a_tab_that_is_not_subscribed_any_more_subscribes_after_its_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_tabs, "LONGEST_WAIT_SECONDS", 0.0)
    channel = SilentChannel({"type": "pong", "tails": {}})
    with pytest.raises(AssertionError, match="no event"):
        tab(channel).show(7, [])
    assert channel.sent[-1] == {"type": "subscribe", "topic": "session:ses_1", "after": 4}
