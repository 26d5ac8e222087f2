"""The adapters work with a model server of another project: @copilotkit/aimock (tests/model_oracle)."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelUnavailable,
)
from shared.llm.model import ChatModel, Finished, Message, ModelRequest, OutputSchema, TextDelta
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.prices import ModelPrice

ORACLE = Path(__file__).parents[1] / "model_oracle"
SERVER = ORACLE / "node_modules/@copilotkit/aimock/dist/cli.js"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def aimock() -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not SERVER.exists():
        reason = "aimock is not installed: it takes node >= 20.15 and `npm ci --prefix tests/model_oracle`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    command = [
        node,
        str(SERVER),
        "--port",
        "0",
        "--fixtures",
        str(ORACLE / "fixtures"),
        "--strict",
        "--validate-on-load",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield f"{_announced_origin(process)}/v1"
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _announced_origin(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError(f"aimock did not start: {''.join(said)}")


def ask(
    url: str,
    prompt: str,
    *,
    schema: OutputSchema | None = None,
    adapter: type[OpenAIChatModel | OpenAIResponsesModel] = OpenAIChatModel,
) -> tuple[list[str], Finished]:
    model: ChatModel = adapter(
        base_url=url, api_key=lambda: "sk-any", prices={"gpt-4o": ModelPrice(input=1.0, output=1.0)}
    )
    request = ModelRequest(model="gpt-4o", messages=(Message("user", prompt),), output_schema=schema)

    async def run() -> tuple[list[str], Finished]:
        parts = [part async for part in model.stream(request)]
        (finished,) = [part for part in parts if isinstance(part, Finished)]
        assert parts[-1] is finished
        return [part.text for part in parts if isinstance(part, TextDelta)], finished

    return asyncio.run(run())


@pytest.mark.parametrize("adapter", [OpenAIChatModel, OpenAIResponsesModel])
def test_the_adapter_streams_text_and_usage(aimock: str, adapter: type[OpenAIChatModel | OpenAIResponsesModel]) -> None:
    texts, finished = ask(aimock, "stream some prose", adapter=adapter)

    assert "".join(texts) == "Prose from a server that nobody here wrote, in more than one piece."
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (11, 7)
    assert finished.usage.cost_usd == pytest.approx(18e-6)
    assert not finished.truncated


def test_the_adapter_sends_the_schema_in_the_providers_form(aimock: str) -> None:
    # The fixture matches only a response_format of json_schema.
    texts, _ = ask(aimock, "answer by the schema", schema=OutputSchema("answer", SCHEMA))

    assert "".join(texts) == '{"answer": 42}'
    (sent,) = [
        entry["body"]
        for entry in httpx.get(aimock.replace("/v1", "/__aimock/journal")).json()
        if "response_format" in (entry.get("body") or {})
    ]
    assert sent["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA, "strict": True}
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}


def test_an_output_cut_at_the_limit_is_marked(aimock: str) -> None:
    assert ask(aimock, "stop at the limit")[1].truncated


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("limit the rate", ModelRateLimited),
        ("use up the quota", ModelRejectedRequest),
        ("fail inside", ModelUnavailable),
        ("reject the key", ModelRejectedRequest),
        ("filter this", ModelRefused),
        ("break off", ModelDisconnected),
        ("nothing was prepared for this", ModelUnavailable),
    ],
)
def test_the_adapter_turns_each_failure_into_a_fault(aimock: str, prompt: str, expected: type[MillraceError]) -> None:
    with pytest.raises(MillraceError) as raised:
        ask(aimock, prompt)
    assert type(raised.value) is expected
