"""Where an attempt starts: what earlier stages and earlier attempts have left in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """What an attempt begins with: the text and items that stand, and where a model's response goes on from there.

    `unwritten` is further text that stands, but is not in the log anew yet.
    """

    text: str
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    cursor: str | None = None
    unwritten: str = ""
