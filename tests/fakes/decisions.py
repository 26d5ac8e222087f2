"""The cache of decisions, in memory."""

from __future__ import annotations

from typing import Any


class FakeDecisionCache:
    """Implements DecisionCache. `kept` are the decisions by owner and key."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}

    def get(self, owner: str, key: str) -> dict[str, Any] | None:
        return self.kept.get((owner, key))

    def put(self, owner: str, key: str, decision: dict[str, Any]) -> None:
        self.kept[owner, key] = decision
