"""What the model adapters import before their first call."""

from __future__ import annotations

import subprocess
import sys

from tests.patience import PATIENCE

FRESH = """
import sys
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
for adapter in (OpenAIChatModel, OpenAIResponsesModel):
    model = adapter(base_url=None, api_key=lambda: "key", prices={})
    model.stream, model.cancel  # not called, so the SDK is not needed yet
loaded = {"openai", "httpx2", "httpx", "anyio", "boto3"} & set(sys.modules)
assert not loaded, loaded
"""

CALLED = """
import asyncio, sys
from shared.errors import ModelUnavailable
from shared.llm.model import Message, ModelRequest
from shared.llm.openai.chat import OpenAIChatModel

async def ask():
    model = OpenAIChatModel(base_url="http://127.0.0.1:1", api_key=lambda: "key", prices={})
    async for piece in model.stream(ModelRequest("m", (Message("user", "?"),))):
        pass

try:
    asyncio.run(ask())
except ModelUnavailable:
    pass
loaded = [name for name in sys.modules if name.startswith("openai.types.")]
assert "openai.types.chat.chat_completion" in loaded, loaded
assert len(loaded) < 150, len(loaded)

import openai
assert openai.types.Completion.__name__ == "Completion"
assert openai.types.responses.Response.model_json_schema()["title"] == "Response"
assert len([name for name in sys.modules if name.startswith("openai.types.")]) > 400
"""


def test_an_adapter_imports_the_sdk_at_its_first_call() -> None:
    run(FRESH)


def test_a_chat_completion_imports_only_the_types_that_it_needs_and_the_others_when_they_are_used() -> None:
    run(CALLED)


def run(program: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert process.returncode == 0, process.stderr
