"""A chat model that says what it was given to say."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from shared.errors import MillraceError
from shared.jobs.usage import TokenUsage
from shared.llm.model import Finished, ModelRequest, TextDelta

USAGE = TokenUsage(input_tokens=10, output_tokens=20, cost_usd=0.5)


class ScriptedModel:
    """The ChatModel. Each call takes the next answer: text, said a few characters at a time, and maybe a fault.

    `requests` is what was asked; `closed` counts the calls that were ended, in whatever way.
    """

    def __init__(self, *answers: str | tuple[str, MillraceError], truncated: bool = False, piece: int = 7) -> None:
        self._answers = list(answers)
        self._truncated = truncated
        self._piece = piece
        self.requests: list[ModelRequest] = []
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        self.requests.append(request)
        answer = self._answers.pop(0)
        text, fault = (answer, None) if isinstance(answer, str) else answer
        try:
            for begin in range(0, len(text), self._piece):
                yield TextDelta(text[begin : begin + self._piece])
            if fault is not None:
                raise fault
            yield Finished(USAGE, truncated=self._truncated)
        finally:
            self.closed += 1

    async def cancel(self, cursor: str) -> None:
        """Its answers have no cursors."""
