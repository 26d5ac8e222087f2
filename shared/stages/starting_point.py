"""Where an attempt starts: the text and items that earlier stages and attempts have left in the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The text and the items that an attempt starts with.

    `items` are the stage's items by key. `cursor` is the position in a model response at the end of the text; None if
    the attempt cannot re-attach to a response.
    """

    text: str
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    cursor: str | None = None
