"""What the model adapters import before their first call."""

from __future__ import annotations

import subprocess
import sys

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


def test_an_adapter_imports_the_sdk_at_its_first_call() -> None:
    process = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
