"""Keep decisions of a model for a day: an equal message about an equal project has an equal decision."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, Protocol

from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.packet import packet_of
from shared.apps.video.brain.prompts import VERSION

KEPT_SECONDS: Final = 24 * 3600
"""How long a decision is kept, in seconds."""


class DecisionCache(Protocol):
    """Keep decisions by owner and key. Raises the storage faults of `shared/errors.py`."""

    def get(self, owner: str, key: str) -> dict[str, Any] | None:
        """Return the decision; None if it is not kept, or no longer."""

    def put(self, owner: str, key: str, decision: dict[str, Any]) -> None:
        """Keep the decision for KEPT_SECONDS."""


def key_of(context: ChatContext, model: str) -> str:
    """Return the key of the decision about a message: a digest of all that the decision depends on."""
    facts = context.facts
    depends = {
        "prompt": VERSION,
        "model": model,
        "agent": context.instructions_version,
        "packet": packet_of(context) | {"message": " ".join(context.text.split())},
        "versions": [(each.scene_id, each.entry.version, each.entry.digest) for each in facts.scenes],
        "attachedImages": sorted(each.image_id for each in facts.images if each.attached),
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
