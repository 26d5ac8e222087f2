"""Finding the application that a prompt belongs to."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from local.applications import modules_of
from local.model import answers
from local.model.application_answers import application_answer
from local.model.prompt import Prompt

UNKNOWN: dict[str, Any] = {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}}


def prompt_for(name: str | None = None, schema: dict[str, Any] | None = None) -> Prompt:
    wanted = {} if schema is None else {"type": "json_schema", "name": name, "schema": schema}
    return Prompt("scripted-1", [{"role": "user", "content": "Topic: the sea"}], wanted, most_tokens=None)


@pytest.mark.parametrize("module", list(modules_of(answers)), ids=lambda module: module.__name__)
@pytest.mark.parametrize(
    "prompt",
    [prompt_for(), prompt_for("haiku", UNKNOWN)],
    ids=["text", "document"],
)
def test_an_application_ignores_other_prompts(module: ModuleType, prompt: Prompt) -> None:
    assert module.answer(prompt) is None
    assert application_answer(prompt) is None
