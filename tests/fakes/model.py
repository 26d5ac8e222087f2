"""Chat models whose output a test gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection

from shared.errors import MillraceError, ModelDisconnected
from shared.llm.model import (
    Finished,
    ModelRequest,
    Piece,
    ResponseGone,
    Spent,
    Started,
    TextDelta,
    ToolCall,
    ToolCalled,
)
from shared.log.usage import TokenUsage

USAGE = TokenUsage(input_tokens=10, output_tokens=20, cost_usd=0.5)


class ScriptedModel:
    """Implements ChatModel: each call writes the next output, a few characters at a time, and may end with a fault.

    `requests` holds the requests; `closed` counts the calls that ended, with or without a fault.
    """

    def __init__(self, *outputs: str | tuple[str, MillraceError], truncated: bool = False, piece: int = 7) -> None:
        self._outputs = list(outputs)
        self._truncated = truncated
        self._piece = piece
        self.requests: list[ModelRequest] = []
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]:
        self.requests.append(request)
        output = self._outputs.pop(0)
        text, fault = (output, None) if isinstance(output, str) else output
        try:
            for begin in range(0, len(text), self._piece):
                yield TextDelta(text[begin : begin + self._piece])
            if fault is not None:
                raise fault
            yield Finished(USAGE, truncated=self._truncated)
        finally:
            self.closed += 1

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because these outputs have no cursors."""


class CallingModel:
    """Implements ChatModel with tool calls: each response is a text and the calls after it, or a fault to raise.

    `truncated`: the responses, counted from 0, that the provider stops at the output limit.
    """

    def __init__(
        self, *responses: tuple[str, *tuple[ToolCall, ...]] | MillraceError, truncated: Collection[int] = ()
    ) -> None:
        self._responses = list(responses)
        self._truncated = truncated
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | ToolCalled | Finished, None]:
        self.requests.append(request)
        response = self._responses.pop(0)
        if isinstance(response, MillraceError):
            raise response
        text, *calls = response
        if text:
            yield TextDelta(text)
        for call in calls:
            yield ToolCalled(call)
        yield Finished(USAGE, truncated=len(self.requests) - 1 in self._truncated)

    async def cancel(self, cursor: str) -> None:
        """Do nothing, because these responses have no cursors."""


class ResumableModel:
    """Implements ChatModel with one response that continues without a reader; its cursor is the number of characters.

    `breaks_after` are the positions at which successive calls raise `fault`; `gone` means the response was deleted,
    or failed and has used `spent`; `meanwhile` is called after the start, and then the model is silent. `piece` is the
    number of characters at a time.
    """

    def __init__(self, output: str, *breaks_after: int, fault: MillraceError | None = None) -> None:
        self._output = output
        self._breaks_after = list(breaks_after)
        self._fault = fault or ModelDisconnected("cut")
        self.piece = 3
        self.gone = False
        self.spent: TokenUsage | None = None
        self.meanwhile: Callable[[], object] | None = None
        self.requests: list[ModelRequest] = []
        self.cancelled: list[str] = []

    @property
    def responses(self) -> int:
        """The number of responses that were started and paid for."""
        return sum(request.resume_from is None for request in self.requests)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        if request.resume_from is None:
            written = 0
            yield Started("0")
            if self.meanwhile is not None:
                self.meanwhile()
                await asyncio.sleep(60)
        elif self.gone:
            if self.spent is not None:
                yield Spent(self.spent)
            raise ResponseGone("deleted")
        else:
            written = int(request.resume_from)
        end = self._breaks_after.pop(0) if self._breaks_after else len(self._output)
        while written < end:
            text = self._output[written : min(written + self.piece, end)]
            written += len(text)
            yield TextDelta(text, str(written))
        if end < len(self._output):
            raise self._fault
        yield Finished(USAGE)

    async def cancel(self, cursor: str) -> None:
        self.cancelled.append(cursor)
