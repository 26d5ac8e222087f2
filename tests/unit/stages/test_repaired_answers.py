"""A model's answer that is not valid is repaired once, and the stage fails if that does not help."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from shared.errors import InvalidModelOutput
from shared.llm.model import Finished, Message, OutputSchema
from shared.log.usage import TokenUsage
from shared.stages import repaired_answers
from shared.stages.repaired_answers import ask_and_repair

PROMPT = (Message("system", "Answer with JSON."), Message("user", "A number from 1 to 9"))
SCHEMA = OutputSchema("number", {"type": "object", "properties": {"number": {"type": "integer"}}})


class Number(BaseModel):
    number: int = Field(ge=1, le=9)


class Script:
    """Outputs of a model in their order; `requests` are the prompts and temperatures that it was asked with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outputs: str, truncated: bool = False) -> None:
        self._outputs: Iterator[str] = iter(outputs)
        self._truncated = truncated
        self.requests: list[tuple[tuple[Message, ...], float | None]] = []
        monkeypatch.setattr(repaired_answers, "read_resumable_output", self._read)

    async def _read(
        self,
        _model: Any,
        _context: Any,
        prompt: tuple[Message, ...],
        schema: OutputSchema,
        *,
        temperature: float | None,
    ) -> tuple[str, Finished]:
        assert schema is SCHEMA
        self.requests.append((prompt, temperature))
        return next(self._outputs), Finished(TokenUsage(), truncated=self._truncated)

    def ask(self, **options: Any) -> Number:
        nothing: Any = None
        return asyncio.run(ask_and_repair(nothing, nothing, Number, PROMPT, SCHEMA, name="number", **options))


def test_a_valid_answer_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, '{"number": 7}')
    assert script.ask(temperature=0).number == 7
    assert script.requests == [(PROMPT, 0)]


def test_the_repair_has_the_output_and_its_problem_and_the_same_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, '{"number": 12}', '{"number": 3}')
    assert script.ask(temperature=0.5).number == 3
    (_, first), (repair, second) = script.requests
    assert (first, second) == (0.5, 0.5)
    assert repair[: len(PROMPT)] == PROMPT
    assert repair[-2] == Message("assistant", '{"number": 12}')
    assert "number: Input should be less than or equal to 9" in repair[-1].text


def test_an_answer_to_another_question_is_repaired_too(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(monkeypatch, '{"number": 2}', '{"number": 4}')
    asked = script.ask(misfit=lambda each: None if each.number > 3 else "number: must be more than 3")
    assert asked.number == 4
    assert "must be more than 3" in script.requests[1][0][-1].text


def test_an_invalid_repair_fails_with_the_name_of_the_answer_and_no_word_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Script(monkeypatch, "secret words", "more secret words", truncated=True)
    with pytest.raises(InvalidModelOutput, match="the model's number is not valid, even after a repair: ") as failed:
        script.ask()
    assert "cut off" in str(failed.value)
    assert "secret" not in str(failed.value)
    assert len(script.requests) == 2
