"""Asks each application's module in `local/model/answers/` what the scripted model writes for a prompt.

A module has `answer(prompt)`, and may have `correct(failed)`:

- `answer` returns a document that fits the response format, a text for a prompt without one, a Reply with tool calls
  for a prompt with tools, or None for a prompt of another application. It is asked once a turn, and finds the calls so
  far with their results in `prompt.turns`.
- `correct` returns the call that follows the hint of a failed call, or None. It corrects a call once, also one of
  `[[tools: …]]`.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from local.applications import modules_of
from local.model import answers
from local.model.calls import MadeCall, PlannedCall
from local.model.prompt import Prompt


def application_answer(prompt: Prompt) -> Any:
    """Return the first application's answer, or None: then the scripted model writes a generic one."""
    return next((found for module in _modules() if (found := module.answer(prompt)) is not None), None)


def application_correction(failed: MadeCall) -> PlannedCall | None:
    """Return the call that follows the hint of a failed one, if an application says how."""
    correcting = (module.correct(failed) for module in _modules() if hasattr(module, "correct"))
    return next((found for found in correcting if found is not None), None)


@functools.cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(modules_of(answers))
