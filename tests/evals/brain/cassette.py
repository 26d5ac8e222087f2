"""Record what a model writes, and replay it: a recorded run is scored again without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path

from shared.errors import ModelUnavailable
from shared.llm.model import ChatModel, Finished, ModelRequest, Piece, TextDelta
from shared.log.usage import TokenUsage


class RecordingModel:
    """Implements ChatModel with another one, and keeps its outputs by the digest of their requests."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._outputs: dict[str, str] = {}

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        texts: list[str] = []
        async for piece in self._model.stream(request):
            if isinstance(piece, TextDelta):
                texts.append(piece.text)
            yield piece
        self._outputs[digest_of(request)] = "".join(texts)

    async def cancel(self, cursor: str) -> None:
        await self._model.cancel(cursor)

    def save(self, file: Path) -> None:
        """Write the recorded outputs."""
        file.write_text(json.dumps(self._outputs, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


class ReplayingModel:
    """Implements ChatModel with recorded outputs. A request that was not recorded fails: the prompt has changed."""

    def __init__(self, file: Path) -> None:
        self._outputs: dict[str, str] = json.loads(file.read_text())

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        output = self._outputs.get(digest_of(request))
        if output is None:
            raise ModelUnavailable("this request was not recorded: the prompt or the cases have changed since")
        yield TextDelta(output)
        yield Finished(TokenUsage())

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because recorded outputs have no cursors."""


def digest_of(request: ModelRequest) -> str:
    """Return a digest of the messages of a request."""
    return hashlib.sha256("\n".join(each.text for each in request.messages).encode()).hexdigest()
