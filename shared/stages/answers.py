"""Read a model's output as a data model: strictly if it is valid, else the last document in it that is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.llm.json_in_text import find_documents
from shared.llm.model import Finished, Message, OutputSchema

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Answer = TypeVar("Answer", bound=BaseModel)

EMPTY = "the output is empty"
"""What is wrong with an output without text."""


class InvalidAnswer(Exception):
    """No document in the output is valid. The text says why, without a word of the model."""


def read_answer(kind: type[Answer], output: str, *, misfit: Callable[[Answer], str | None] = lambda _: None) -> Answer:
    """Return the answer in a model's output.

    `misfit` returns why a valid answer is not one to the question; None if it is. Fences, reasoning, sentences around
    the JSON and the usual slips in it do no harm: what is returned is valid in every case.

    Raises InvalidAnswer if nothing in the output is a valid answer.
    """
    try:
        return _checked(kind, output, misfit)
    except InvalidAnswer as strict:
        problem = strict
    if not output.strip():
        raise InvalidAnswer(EMPTY)
    for document in reversed(list(_candidates(kind, output))):
        try:
            return _checked(kind, json.dumps(document), misfit)
        except InvalidAnswer as lenient:
            problem = lenient if isinstance(document, dict) and document.keys() & _keys_of(kind) else problem
    raise problem from None


def _candidates(kind: type[BaseModel], output: str) -> Iterator[Any]:
    """Yield the documents in the output, and what a model may have wrapped into another object or left bare."""
    fields = _keys_of(kind)
    for document in find_documents(output).documents:
        if isinstance(document, dict):
            yield from (each for each in document.values() if isinstance(each, dict))
        elif len(fields) == 1:
            yield dict.fromkeys(fields, document)
        yield document


def _checked(kind: type[Answer], text: str, misfit: Callable[[Answer], str | None]) -> Answer:
    try:
        answer = kind.model_validate_json(text)
    except ValidationError as error:
        raise InvalidAnswer(describe_errors(error)) from None
    reason = misfit(answer)
    if reason is not None:
        raise InvalidAnswer(reason)
    return answer


def _keys_of(kind: type[BaseModel]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in kind.model_fields.items())


def describe_errors(error: ValidationError) -> str:
    """Return what is wrong with a model's output: at most ten field paths and rules, never a text of the model."""
    issues = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{_field_path(each)}: {each['msg']}" for each in issues[:10])


def _field_path(issue: ErrorDetails) -> str:
    # Leave out the name of an unknown field, because it is a text of the model.
    path = issue["loc"][:-1] if issue["type"] == "extra_forbidden" else issue["loc"]
    return ".".join(map(str, path)) or "output"


def describe_problem(problem: str, finished: Finished) -> str:
    """Return what is wrong with an output, with what the provider has said about its end."""
    if finished.truncated:
        return f"{problem}; it was cut off at the output limit"
    return f"{problem}: {finished.why_empty}" if finished.why_empty else problem


def repair_messages(
    prompt: tuple[Message, ...], output: str, problem: str, schema: OutputSchema
) -> tuple[Message, ...]:
    """Return the prompt again, with the output that is not valid, its problem, and every key that an answer has.

    Several providers refuse an empty turn of the model. So without an output, the problem follows the prompt's text.
    """
    task = f"Answer again, with JSON of this form: {outline_of(schema.schema)}"
    if output.strip():
        return (
            *prompt,
            Message("assistant", output),
            Message("user", f"This does not fit the schema: {problem}\n{task}"),
        )
    *others, last = prompt
    return *others, Message("user", f"{last.text}\n\nYour last answer does not fit the schema: {problem}\n{task}")


def outline_of(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema's keys in the form of its documents, such as `{"ideas": [{"title": string}]}`."""
    return _outline(schema, schema.get("$defs") or {})


def _outline(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _outline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    match schema.get("type"):
        case "object":
            properties = (schema.get("properties") or {}).items()
            return "{" + ", ".join(f'"{key}": {_outline(each, definitions)}' for key, each in properties) + "}"
        case "array":
            return f"[{_outline(schema.get('items') or {}, definitions)}]"
        case kind:
            return str(kind or "any value")
