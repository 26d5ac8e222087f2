"""What a decision depends on: the message, the project, and the chat before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.apps.video.facts import Facts
from shared.apps.video.models import Option


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message, with the tool that it led to and the ids of what was changed."""

    role: str
    text: str
    tool: str | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """The question that a message answers."""

    text: str
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatContext:
    """All that a decision may use.

    `attached` are the scenes that the message names beside its text, and `selected` is the one that is selected in the
    page. `history` are the messages before, oldest first.
    """

    text: str
    facts: Facts
    attached: tuple[str, ...] = ()
    selected: str | None = None
    image_ids: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()
    asked: AskedQuestion | None = None
    instructions_version: str = field(default="")
    """The version of the owner's agent, on which a model's decision depends; empty without one."""
    allowed_tools: frozenset[str] | None = None
    """The tools that the owner's agent may choose; None for all."""

    def allows(self, tool: str) -> bool:
        """Return whether the tool may be chosen for the message."""
        return self.allowed_tools is None or tool in self.allowed_tools

    @property
    def last_changed(self) -> tuple[str, ...]:
        """Return the ids of the present scenes that the chat has changed last."""
        changed = next((turn.changed for turn in reversed(self.history) if turn.changed), ())
        return tuple(each for each in changed if self.facts.scene(each) is not None)
