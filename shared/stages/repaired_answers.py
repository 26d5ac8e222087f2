"""Ask a model for an answer of a data model, and let it repair one that is not valid, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from shared.errors import InvalidModelOutput
from shared.llm.model import ChatModel, Message, OutputSchema
from shared.observability.log import log
from shared.stages.answers import InvalidAnswer, describe_problem, read_answer, repair_messages
from shared.stages.model_answers import read_resumable_output
from shared.stages.stage import StageContext

Answer = TypeVar("Answer", bound=BaseModel)


async def ask_and_repair(
    model: ChatModel,
    context: StageContext,
    kind: type[Answer],
    prompt: tuple[Message, ...],
    schema: OutputSchema,
    *,
    name: str,
    temperature: float | None = None,
    misfit: Callable[[Answer], str | None] = lambda _: None,
) -> Answer:
    """Return what the model writes; nothing of it is streamed. If it is not valid, ask the model once to repair it.

    `name` is what the answer is called, such as "decision"; `misfit` is that of `read_answer`.

    Raises InvalidModelOutput if the repair is not valid either, and the model faults of `ChatModel.stream`.
    """
    output, finished = await read_resumable_output(model, context, prompt, schema, temperature=temperature)
    try:
        return read_answer(kind, output, misfit=misfit)
    except InvalidAnswer as invalid:
        problem = describe_problem(str(invalid), finished)
    log.info("answer to be repaired", answer=name, reason=problem)
    repair = repair_messages(prompt, output, problem, schema)
    output, finished = await read_resumable_output(model, context, repair, schema, temperature=temperature)
    try:
        return read_answer(kind, output, misfit=misfit)
    except InvalidAnswer as invalid:
        reason = describe_problem(str(invalid), finished)
        raise InvalidModelOutput(f"the model's {name} is not valid, even after a repair: {reason}") from None
