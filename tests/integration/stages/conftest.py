"""Invoking a function as Step Functions does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.stack import LocalStack

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(stack: LocalStack) -> Invoke:
    """`invoke("complete_job", jobId=…, …)`: what the function answers, or its error as Lambda reports it."""

    def call(function: str, **payload: Any) -> dict[str, Any]:
        path = f"/2015-03-31/functions/millrace-{function}/invocations"
        answer = httpx.post(stack.api_url + path, json=payload, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert ("errorType" in found) == ("x-amz-function-error" in answer.headers)
        return found

    return call
