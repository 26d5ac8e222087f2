"""Invoking a function as Step Functions does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, Event


def watch_and_kill(
    stack: LocalStack, user: ApiUser, job_id: str, *, after_deltas: int, function: str = "generate_suggestions"
) -> list[Event]:
    """Everything one connection sees, with the function's processes killed as soon as it has seen so many deltas."""
    events: list[Event] = []
    with user.stream(job_id) as source:
        for sent in source.iter_sse():
            events.append(Event.of(sent))
            if [each.type for each in events].count("delta") == after_deltas and events[-1].type == "delta":
                for pid in stack.processes()[function]:
                    os.kill(pid, signal.SIGKILL)
    return events


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
