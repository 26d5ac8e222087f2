"""The model adapter of a function: settings that are not valid are named, and none is an internal error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.bootstrap import chat_model
from shared.errors import ModelMisconfigured
from shared.llm.model import Message, ModelRequest
from shared.storage import aws


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "MODEL_API", "MODEL_PRICES", "MODEL_TOKEN_TIMEOUT_SECONDS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("MODEL_PRICES", "{", "MODEL_PRICES is not valid JSON"),
        ("MODEL_PRICES", '{"m": {"input": -1, "output": 1}}', "MODEL_PRICES: m.input must be USD per million tokens"),
        ("MODEL_API", "secret", "MODEL_API: Input should be 'chat_completions' or 'responses'"),
        ("MODEL_TOKEN_TIMEOUT_SECONDS", "secret", "MODEL_TOKEN_TIMEOUT_SECONDS: Input should be a valid number"),
    ],
)
def test_a_setting_that_is_not_valid_is_named(
    variable: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ModelMisconfigured, match="a setting of the model is not valid") as refused:
        chat_model.__wrapped__()
    assert rule in refused.value.message
    assert "secret" not in refused.value.message


def test_a_secret_without_a_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        def get_secret_value(self, **_: object) -> Any:
            status: Any = {"HTTPStatusCode": 400}
            refusal: Any = {"Error": {"Code": "ResourceNotFoundException"}, "ResponseMetadata": status}
            raise ClientError(refusal, "GetSecretValue")

    monkeypatch.setattr(aws, "client", lambda _service: Empty())
    monkeypatch.setenv("MODEL_SECRET_ARN", "arn:never-filled")

    async def call() -> None:
        async for _ in chat_model.__wrapped__().stream(ModelRequest(model="m", messages=(Message("user", "hi"),))):
            pass

    with pytest.raises(ModelMisconfigured, match=r"^ModelSecret \(the model's key\) is empty"):
        asyncio.run(call())
