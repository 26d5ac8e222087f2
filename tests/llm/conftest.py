"""A scripted model on its own port, and the adapter under test, which calls it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.model.control import ModelControl
from local.model.server import ModelServer
from shared.llm.model import ChatModel
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.prices import ModelPrice
from tests.llm.model_calls import KEY, AdapterFor
from tests.patience import PATIENCE

PRICES = {"scripted-1": ModelPrice(input=2.0, output=10.0)}


@pytest.fixture(scope="session")
def scripted_model_url() -> Iterator[str]:
    server = ModelServer(first_token_ms=1, token_ms=0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted model")
    thread.start()
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=PATIENCE)
    yield f"http://127.0.0.1:{port}/v1"

    async def stop() -> None:
        server.close()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result(timeout=PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=PATIENCE)
    loop.close()


@pytest.fixture
def scripted(scripted_model_url: str) -> Iterator[ModelControl]:
    with ModelControl(scripted_model_url) as control:
        control.clear()
        yield control
        control.clear()


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
def model_class(request: pytest.FixtureRequest) -> Any:
    """Each adapter in turn; a test file of one adapter overrides this."""
    return request.param


@pytest.fixture
def adapter_for(model_class: Any) -> AdapterFor:
    def make(base_url: str, *, api_key: str | Callable[[], str] = KEY, token_timeout: float = PATIENCE) -> ChatModel:
        model: ChatModel = model_class(
            base_url=base_url,
            api_key=api_key if callable(api_key) else lambda: api_key,
            prices=PRICES,
            connect_timeout=PATIENCE,
            token_timeout=token_timeout,
        )
        return model

    return make


@pytest.fixture
def model(scripted_model_url: str, adapter_for: AdapterFor) -> ChatModel:
    return adapter_for(scripted_model_url)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is bound but does not listen, so that no other process can use it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
