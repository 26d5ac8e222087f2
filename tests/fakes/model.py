"""A chat model that says what it was given to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from shared.errors import MillraceError, ModelDisconnected
from shared.llm.model import Finished, ModelRequest, Piece, ResponseGone, Started, TextDelta
from shared.log.usage import TokenUsage

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


class ResumableModel:
    """A ChatModel whose one response goes on when it is left: `cursor` is the number of characters said.

    `breaks_after` are the places at which successive calls break off, by `fault`; `gone` forgets the response;
    `meanwhile` happens once it has begun, and then nothing more does. `piece` is how many characters it says at a time.
    """

    def __init__(self, answer: str, *breaks_after: int, fault: MillraceError | None = None) -> None:
        self._answer = answer
        self._breaks_after = list(breaks_after)
        self._fault = fault or ModelDisconnected("cut")
        self.piece = 3
        self.gone = False
        self.meanwhile: Callable[[], object] | None = None
        self.requests: list[ModelRequest] = []
        self.cancelled: list[str] = []

    @property
    def responses(self) -> int:
        """How many responses were begun and paid for."""
        return sum(request.resume_from is None for request in self.requests)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        if request.resume_from is None:
            said = 0
            yield Started("0")
            if self.meanwhile is not None:
                self.meanwhile()
                await asyncio.sleep(60)
        elif self.gone:
            raise ResponseGone("forgotten")
        else:
            said = int(request.resume_from)
        end = self._breaks_after.pop(0) if self._breaks_after else len(self._answer)
        while said < end:
            text = self._answer[said : min(said + self.piece, end)]
            said += len(text)
            yield TextDelta(text, str(said))
        if end < len(self._answer):
            raise self._fault
        yield Finished(USAGE)

    async def cancel(self, cursor: str) -> None:
        self.cancelled.append(cursor)
