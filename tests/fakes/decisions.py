"""The cache of decisions, in memory."""

from __future__ import annotations

import json
from typing import Any

from shared.apps.video.brain.cache import KEPT_SECONDS
from shared.clock import Clock
from tests.fakes.clock import SettableClock


class FakeDecisionCache:
    """Implements DecisionCache. `kept` are the decisions as JSON, and when they expire, by owner and key."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SettableClock()
        self.kept: dict[tuple[str, str], tuple[str, float]] = {}

    def get(self, owner: str, key: str) -> dict[str, Any] | None:
        text, expires_at = self.kept.get((owner, key), ("null", 0))
        if expires_at <= self._clock().timestamp():
            return None
        decision: dict[str, Any] = json.loads(text)
        return decision

    def put(self, owner: str, key: str, decision: dict[str, Any]) -> None:
        self.kept[owner, key] = (json.dumps(decision), self._clock().timestamp() + KEPT_SECONDS)
