"""What the scripted model writes for one request: its tokens, and the reason why it stops."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from local.model.application_answers import application_answer
from local.model.behaviour import Behaviour
from local.model.documents import DocumentWriter
from local.model.errors import BadRequest
from local.model.prompt import Prompt
from local.model.prose import brief_of, essay
from local.model.tokens import STAMP, split_exactly, split_tokens, stamped

_NOT_THE_SCHEMA: Final = '{"unexpected": "This document does not fit the schema."}'
_NOT_JSON: Final = 'Certainly! Here is what I came up with: {"items": [{"title": "A document that breaks off'
_REFUSAL: Final = "I cannot help with that."

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Output:
    """All tokens of one output, and the finish reason after the last of them."""

    tokens: list[str]
    finish_reason: FinishReason
    prompt_tokens: int

    @classmethod
    def of(cls, prompt: Prompt, behaviour: Behaviour) -> Output:
        """Write the output. Raises BadRequest and UnsupportedSchema."""
        tokens = _tokens(prompt, behaviour)
        finish_reason: FinishReason = "stop"
        most = prompt.most_tokens
        if behaviour.length:
            most = min(most or len(tokens), max(1, len(tokens) // 2))
        if most and most < len(tokens):
            tokens, finish_reason = tokens[:most], "length"
        if behaviour.content_filter:
            tokens, finish_reason = tokens[: len(tokens) // 2], "content_filter"
        # A break that is scripted beyond the last token happens after the last token.
        tokens += [" "] * max(0, (behaviour.breaks_off_after or 0) + 1 - len(tokens))
        return cls(
            tokens=tokens,
            finish_reason=finish_reason,
            prompt_tokens=sum(len(message["content"].split()) for message in prompt.messages),
        )


def _tokens(prompt: Prompt, behaviour: Behaviour) -> list[str]:
    document: Any = None
    if behaviour.refusal:
        text = _REFUSAL
    elif behaviour.text is not None:
        text = behaviour.text
    elif behaviour.invalid_json:
        text = _NOT_JSON
    elif behaviour.off_schema:
        text = _NOT_THE_SCHEMA
    else:
        answer = _answer(prompt)
        document = None if isinstance(answer, str) else answer
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    if behaviour.timestamps:
        count = behaviour.tokens or len(split_tokens(text))
        return [STAMP] * count if document is None else stamped(document, count)
    return split_tokens(text) if behaviour.tokens is None else split_exactly(text, behaviour.tokens)


def _answer(prompt: Prompt) -> Any:
    """Return a text for a prompt without a response format, else a document that fits the format."""
    kind = prompt.response_format.get("type", "text")
    if kind not in {"text", "json_object", "json_schema"}:
        raise BadRequest(f"Invalid value: {kind!r}. Supported values are: 'json_object', 'json_schema', and 'text'.")
    answer = application_answer(prompt)
    if answer is not None:
        return answer
    brief = brief_of(prompt.user_messages)
    if prompt.schema is not None:
        return DocumentWriter(prompt.schema, brief).write()
    return essay(brief) if kind == "text" else {"answer": essay(brief)}
