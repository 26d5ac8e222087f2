"""What the scripted model writes for one request: its tokens, and the reason why it stops."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from local.model.application_answers import application_answer
from local.model.behaviour import Behaviour
from local.model.calls import PlannedCall, Reply
from local.model.documents import DocumentWriter
from local.model.errors import BadRequest
from local.model.prompt import Prompt
from local.model.prose import brief_of, essay
from local.model.tokens import STAMP, split_exactly, split_tokens, split_units, stamped
from local.model.tool_plan import description_of, reply_with_calls, report

_NOT_THE_SCHEMA: Final = '{"unexpected": "This document does not fit the schema."}'
_NOT_JSON: Final = 'Certainly! Here is what I came up with: {"items": [{"title": "A document that breaks off'
_REFUSAL: Final = "I cannot help with that."

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; its arguments are among the tokens."""

    id: str
    name: str

    @property
    def item_id(self) -> str:
        """The id of the call's item in a response, which is not the id that results name."""
        return self.id.replace("call_", "fc_")


@dataclass(frozen=True, slots=True)
class Token:
    """A part of the text, or of the arguments of the call at this position."""

    text: str
    call: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """All tokens of one output, the text before the calls, and the finish reason after the last of them."""

    tokens: Sequence[Token]
    calls: tuple[Call, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @classmethod
    def of(cls, prompt: Prompt, behaviour: Behaviour) -> Output:
        """Write the output. Raises BadRequest, UnreadableDirective and UnsupportedSchema."""
        texts, planned = _written(prompt, behaviour)
        tokens = [Token(text) for text in texts]
        tokens += [Token(part, at) for at, call in enumerate(planned) for part in _fragments(call, behaviour)]
        finish_reason: FinishReason = "tool_calls" if planned else "stop"
        most = prompt.most_tokens
        if behaviour.length:
            most = min(most or len(tokens), max(1, len(tokens) // 2))
        if most and most < len(tokens):
            tokens, finish_reason = tokens[:most], "length"
        if behaviour.content_filter:
            tokens, finish_reason = tokens[: len(tokens) // 2], "content_filter"
        begun = {token.call for token in tokens}
        # A break that is scripted beyond the last token happens after the last token.
        missing = max(0, (behaviour.breaks_off_after or 0) + 1 - len(tokens))
        return cls(
            tokens=[*tokens, *([Token(" ", tokens[-1].call if tokens else None)] * missing)],
            calls=tuple(Call(f"call_{uuid.uuid4().hex[:24]}", c.name) for at, c in enumerate(planned) if at in begun),
            finish_reason=finish_reason,
            prompt_tokens=prompt.tokens,
            cached_tokens=min(behaviour.cached_tokens or 0, prompt.tokens),
            reasoning_tokens=behaviour.reasoning_tokens or 0,
        )


def _written(prompt: Prompt, behaviour: Behaviour) -> tuple[list[str], tuple[PlannedCall, ...]]:
    """Return the tokens of the text, and the calls behind it."""
    fixed = _fixed_text(behaviour)
    reply = reply_with_calls(prompt, behaviour) if fixed is None else None
    calls = reply.calls if reply else ()
    document: Any = None
    if fixed is not None:
        text = fixed
    elif behaviour.text is not None:
        text = behaviour.text
    elif reply is not None:
        text = reply.text
    else:
        answer = _answer(prompt)
        document = None if isinstance(answer, str) else answer
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    if behaviour.timestamps:
        count = behaviour.tokens or len(split_tokens(text))
        return ([STAMP] * count if document is None else stamped(document, count)), calls
    return (split_tokens(text) if behaviour.tokens is None else split_exactly(text, behaviour.tokens)), calls


def _fixed_text(behaviour: Behaviour) -> str | None:
    """Return a text that no tool is called behind."""
    if behaviour.refusal:
        return _REFUSAL
    if behaviour.invalid_json:
        return _NOT_JSON
    return _NOT_THE_SCHEMA if behaviour.off_schema else None


def _fragments(call: PlannedCall, behaviour: Behaviour) -> list[str]:
    """Return the arguments as they are sent: at least one fragment, which announces the call."""
    parts = split_units(call.arguments) if behaviour.split_arguments else split_tokens(call.arguments)
    return parts or [""]


def _answer(prompt: Prompt) -> Any:
    """Return a text for a prompt without a response format, else a document that fits the format."""
    kind = prompt.response_format.get("type", "text")
    if kind not in {"text", "json_object", "json_schema"}:
        raise BadRequest(f"Invalid value: {kind!r}. Supported values are: 'json_object', 'json_schema', and 'text'.")
    answer = application_answer(prompt)
    if isinstance(answer, Reply):
        answer = answer.text or None  # no calls are wanted now
    if answer is not None:
        return answer
    brief = brief_of(prompt.user_messages)
    if prompt.schema is not None:
        return DocumentWriter(prompt.schema, brief).write()
    text = report(prompt) if prompt.turns else essay(brief)
    text = f"{description_of(prompt.images)}\n\n{text}" if prompt.images else text
    return text if kind == "text" else {"answer": text}
