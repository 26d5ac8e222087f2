"""What a message leads to, as the first stage hands it on: the calls of tools, a question, or an answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.apps.video.models import MAX_OPTIONS, Choice, LearnedPreference, Option, RequestedTool
from shared.schema import Schema


class Plan(Schema):
    """What is to be done about the project at `revision`.

    Revisions never change, and tools are pure. So a later stage that runs the calls again on the same revision gets the
    same outcome, and only the calls are handed on.
    """

    revision: int = Field(ge=0)
    outcome: Literal["changed", "asked", "answered"]
    choice: Choice
    calls: tuple[RequestedTool, ...] = ()
    reply: str = ""
    question: str | None = None
    options: tuple[Option, ...] = Field(default=(), max_length=MAX_OPTIONS)
    learned: tuple[LearnedPreference, ...] = ()
