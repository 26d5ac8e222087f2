"""The pipelines whose jobs go through chaos: how one is asked for, and when its text is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.apps.suggestions.requests import FIELDS

IDEAS = 8
"""How many a brainstorming job is to find."""


@dataclass(frozen=True, slots=True)
class Application:
    """`request` makes the path and body of a creation out of a name nobody else has and the script of the model.

    `is_whole` says whether a text is all that the stage that streams it has to say.
    """

    stages: tuple[str, ...]
    request: Callable[[str, str], tuple[str, dict[str, Any]]]
    is_whole: Callable[[str], bool]


def _suggestion(page: str, script: str) -> tuple[str, dict[str, Any]]:
    context = {**FIELDS, "pageOrComponent": page, "additionalContext": f"[[script: timestamps, {script}]]"}
    return "/jobs", {"pipeline": "suggestion", "input": context}


def _ideation(page: str, script: str) -> tuple[str, dict[str, Any]]:
    return "/ideations", {
        "platform": page,
        "genrePaths": [["Fiction", "Mystery"], ["Sport"]],
        "genreProportions": [60, 40],
        "requirements": f"[[script: {script}]]",
        "ideaCount": IDEAS,
        "arrangement": "rank",
    }


def _is_document(text: str) -> bool:
    """Whether the text is a whole JSON document."""
    if not text.endswith("}"):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _has_every_idea(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == IDEAS


APPLICATIONS = {
    "suggestion": Application(("generate_suggestions", "validate_suggestions"), _suggestion, _is_document),
    "ideation": Application(("prepare_ideas", "generate_ideas", "arrange_ideas"), _ideation, _has_every_idea),
}
