"""Asks each application's module in `local/model/answers/` what the scripted model writes for a prompt."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from local.applications import modules_of
from local.model import answers
from local.model.prompt import Prompt

Answer = Callable[[Prompt], Any]
"""Returns a document, or a text for a prompt without a response format; None for a prompt of another application."""


def application_answer(prompt: Prompt) -> Any:
    """Return the first application's answer, or None: then the scripted model writes a generic one."""
    return next((found for answer in _all() if (found := answer(prompt)) is not None), None)


@functools.cache
def _all() -> tuple[Answer, ...]:
    return tuple(module.answer for module in modules_of(answers))
