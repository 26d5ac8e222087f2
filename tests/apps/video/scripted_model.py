"""The scripted model as a ChatModel in this process: no server, no pace."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from local.model.answers.video import answer
from local.model.images import read_image
from local.model.prompt import Prompt
from shared.llm.model import Finished, ImagePart, Message, ModelRequest, TextDelta
from tests.fakes.model import USAGE


class ScriptedVideoModel:
    """Implements ChatModel with the answers that `local.model` gives. `requests` holds the requests."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        self.requests.append(request)
        written = answer(prompt_of(request))
        assert written is not None
        yield TextDelta(written if isinstance(written, str) else json.dumps(written, ensure_ascii=False))
        yield Finished(USAGE)

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because these outputs have no cursors."""


def prompt_of(request: ModelRequest) -> Prompt:
    """Return the request as the scripted model reads it."""
    schema = request.output_schema
    response_format: dict[str, Any] = {"type": "text"}
    if schema is not None:
        response_format = {"type": "json_schema", "name": schema.name, "schema": schema.schema}
    messages = [_message(each) for each in request.messages]
    return Prompt(request.model, messages, response_format, None)


def _message(message: Message) -> dict[str, Any]:
    parts = message.content if isinstance(message.content, tuple) else ()
    images = [read_image(part.url) for part in parts if isinstance(part, ImagePart)]
    return {"role": message.role, "content": message.text, "images": images}
