"""DecisionCache, in memory and in DynamoDB: a decision is its owner's, and kept for a day."""

from __future__ import annotations

from typing import Any

from shared.apps.video.brain.cache import KEPT_SECONDS
from tests.storage.ports import Ports

KEY = "ab" * 32
DECISION: dict[str, Any] = {"tool": "addScene", "confidence": 0.9, "reply": "Gut – 💡", "targets": [], "seconds": 2.5}


def test_a_decision_is_kept_for_a_day(ports: Ports, owner: str) -> None:
    assert ports.decisions.get(owner, KEY) is None
    ports.decisions.put(owner, KEY, DECISION)
    assert ports.decisions.get(owner, KEY) == DECISION
    ports.clock.advance(KEPT_SECONDS - 1)
    assert ports.decisions.get(owner, KEY) == DECISION
    ports.clock.advance(1)
    assert ports.decisions.get(owner, KEY) is None


def test_a_decision_is_its_owners(ports: Ports, owner: str) -> None:
    ports.decisions.put(owner, KEY, DECISION)
    assert ports.decisions.get(f"{owner}-other", KEY) is None
    assert ports.decisions.get(owner, "cd" * 32) is None


def test_a_newer_decision_replaces_the_one_before(ports: Ports, owner: str) -> None:
    ports.decisions.put(owner, KEY, DECISION)
    ports.decisions.put(owner, KEY, {"tool": "editScene"})
    assert ports.decisions.get(owner, KEY) == {"tool": "editScene"}
