"""The adapters before their first call."""

from __future__ import annotations

import subprocess
import sys

FRESH = """
import sys
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
for adapter in (OpenAIChatModel, OpenAIResponsesModel):
    model = adapter(base_url=None, api_key=lambda: "key", prices={})
    model.stream, model.cancel  # not called: nothing has been asked of the SDK
loaded = {"openai", "httpx2", "httpx", "anyio", "boto3"} & set(sys.modules)
assert not loaded, loaded
"""


def test_a_cold_start_does_not_pay_for_the_sdk_until_the_first_call() -> None:
    process = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
