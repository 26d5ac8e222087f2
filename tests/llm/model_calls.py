"""Helpers that call the model adapters, and servers with faults that the scripted model does not have."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from shared.errors import MillraceError
from shared.llm.model import (
    ChatModel,
    Finished,
    Message,
    ModelRequest,
    Piece,
    TextDelta,
    ToolCall,
    ToolCalled,
    ToolSpec,
)

PROMPT = "the secret prompt"
KEY = "sk-test-secret"
BY = {"type": "object", "properties": {"by": {"type": "integer"}}, "required": ["by"]}
TOOLS = (
    ToolSpec("add", "Add to the number.", BY),
    ToolSpec("read", "Read the number.", {"type": "object", "properties": {}}),
)
AdapterFor = Callable[..., ChatModel]


def request(text: str = PROMPT, **more: Any) -> ModelRequest:
    return ModelRequest(model="scripted-1", messages=(Message("system", "Be brief."), Message("user", text)), **more)


async def collect(model: ChatModel, asked: ModelRequest, into: list[Piece] | None = None) -> tuple[str, Finished]:
    pieces: list[Piece] = [] if into is None else into
    async for piece in model.stream(asked):
        assert not any(isinstance(before, Finished) for before in pieces), "nothing may follow Finished"
        pieces.append(piece)
    end = pieces[-1]
    assert isinstance(end, Finished)
    return text_of(pieces), end


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))


def calls_of(pieces: list[Piece]) -> tuple[ToolCall, ...]:
    return tuple(piece.call for piece in pieces if isinstance(piece, ToolCalled))


def answer(model: ChatModel, asked: ModelRequest) -> tuple[str, Finished]:
    return asyncio.run(collect(model, asked))


def fault(model: ChatModel, asked: ModelRequest | None = None, into: list[Piece] | None = None) -> MillraceError:
    with pytest.raises(MillraceError) as raised:
        asyncio.run(collect(model, asked or request(), into))
    shown = "".join(traceback.format_exception(raised.value))
    assert PROMPT not in shown
    assert KEY not in shown
    return raised.value


Converse = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def raw_server(converse: Converse, heads: list[bytes]) -> AsyncIterator[str]:
    """`heads` receives the heads of the requests."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.current_task())
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await converse(writer)
        except ConnectionError:
            pass  # the adapter has disconnected
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    conversations: list[Any] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
