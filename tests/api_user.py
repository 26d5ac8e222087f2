"""One user of the API, over HTTP: what tests ask for, and how they read the answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, connect_sse

from local.stack import LocalStack
from tests.apps.suggestions.requests import FIELDS

T = TypeVar("T")
TERMINAL = {"complete", "error", "cancelled"}
AT_ONCE = "token_ms=0, first_token_ms=0"
"""Script of a model that loses no time."""


def wait_until(condition: Callable[[], T], *, timeout: float = 60) -> T:
    """What `condition` answers once that is true; AssertionError when it is not within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {timeout} s"
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; `id` is None where the stream sent none."""

    id: int | None
    type: str
    data: dict[str, Any]

    @staticmethod
    def of(sent: ServerSentEvent) -> Event:
        event = Event(int(sent.id) if sent.id else None, sent.event, sent.json())
        assert event.data["type"] == event.type
        return event


def fold(events: Iterable[Event], text: str = "") -> str:
    """The text a client shows after these events."""
    for event in events:
        match event.type:
            case "delta":
                text += event.data["text"]
            case "reset" | "snapshot":
                text = event.data["text"]
    return text


def refusal(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The `error` of an answer that has to be this refusal, in the envelope."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    envelope = answer.json()
    assert envelope.keys() == {"success", "error", "meta"}
    assert envelope["success"] is False
    assert envelope["meta"].keys() == {"requestId", "traceId", "timestamp", "durationMs", "operation", "entity"}
    assert envelope["meta"]["entity"] == "none"
    error: dict[str, Any] = envelope["error"]
    assert error["code"] == code
    assert error["message"]
    return error


def broken_rules(answer: httpx.Response) -> dict[str, str]:
    """Field → rule of an answer that has to be a refusal of its input."""
    error = refusal(answer, 422, "VALIDATION_FAILED")
    assert error["retryable"] is False
    return {each["field"]: each["rule"] for each in error["details"]["fields"]}


def data_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The `data` of an answer that has to be a success, in the envelope."""
    assert answer.status_code == status, answer.text
    envelope = answer.json()
    assert envelope.keys() == {"success", "data", "meta"}
    assert envelope["success"] is True
    assert envelope["meta"]["requestId"] == answer.headers["x-request-id"]
    data: dict[str, Any] = envelope["data"]
    return data


class ApiUser:
    """A user nobody else is, with a token of their own."""

    def __init__(self, stack: LocalStack, name: str | None = None) -> None:
        self.stack = stack
        self.name = name or f"user-{uuid.uuid4().hex}"
        self.token = stack.token(self.name)
        headers = {"Authorization": f"Bearer {self.token}"}
        # Plain HTTP: without `verify=False` each client would read the machine's certificates, at 15 ms a time.
        self.api, self.streams = (
            httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, verify=False)
            for url in (stack.api_url, stack.stream_url)
        )

    def close(self) -> None:
        self.api.close()
        self.streams.close()

    def create(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """`POST /jobs` with these fields of the input besides the required ones."""
        body = {"pipeline": "suggestion", "input": {**FIELDS, **fields}}
        return self.api.post("/jobs", json=body, headers=headers)

    def new_job(self, script: str = AT_ONCE) -> str:
        """The id of a job whose model behaves as scripted; no two jobs have the same prompt."""
        page = f"Page {uuid.uuid4().hex}"
        answer = self.create(pageOrComponent=page, additionalContext=f"[[script: {script}]]")
        return str(data_of(answer, 202)["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        return data_of(self.api.get(f"/jobs/{job_id}"))

    def jobs(self, **parameters: Any) -> list[str]:
        """Ids, newest first."""
        return [job["jobId"] for job in data_of(self.api.get("/jobs", params=parameters))["jobs"]]

    def new_agent(self, **fields: Any) -> str:
        """The id of an agent that is made of these fields besides the required ones."""
        body = {"name": "Terse", "instructions": "One sentence per text.", **fields}
        return str(data_of(self.api.post("/agents", json=body), 201)["agentId"])

    def cancel(self, job_id: str) -> httpx.Response:
        return self.api.post(f"/jobs/{job_id}/cancel")

    def ended(self, job_id: str, *, timeout: float = 120) -> dict[str, Any]:
        """The job, once it has ended."""

        def found() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in {"completed", "failed", "cancelled"} else None

        job = wait_until(found, timeout=timeout)
        assert job is not None
        return job

    def stream_refused(self, job_id: str, *, after: str | None = None, **parameters: str) -> httpx.Response:
        """The answer to opening a stream, for answers that end by themselves."""
        return self.streams.get(f"/jobs/{job_id}/stream", params=parameters, headers=_resume(after))

    @contextmanager
    def stream(self, job_id: str, *, after: int | None = None, **parameters: str) -> Iterator[EventSource]:
        path = f"/jobs/{job_id}/stream"
        headers = _resume(None if after is None else str(after))
        with connect_sse(self.streams, "GET", path, params=parameters, headers=headers) as source:
            yield source

    def watch(self, job_id: str, *, after: int | None = None, **parameters: str) -> list[Event]:
        """Every event of one connection, to its end."""
        with self.stream(job_id, after=after, **parameters) as source:
            return [Event.of(sent) for sent in source.iter_sse()]


def _resume(after: str | None) -> dict[str, str]:
    return {} if after is None else {"Last-Event-ID": after}
