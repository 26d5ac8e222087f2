"""A user of the HTTP API: requests for tests, and checks of the responses."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, connect_sse

from local.model.control import ModelControl
from local.stack import LocalStack
from shared.storage.keys import EVENT_PREFIX, JOB, job_partition
from tests.apps.suggestions.requests import FIELDS
from tests.patience import PATIENCE

T = TypeVar("T")
TERMINAL = {"complete", "error", "cancelled"}
AT_ONCE = "token_ms=0, first_token_ms=0"
"""The directive for a model that writes without waiting."""
STREAM_LEASE_SECONDS = 15
"""The lease of a stream's slot in the tests' stack. It is renewed after a third, so a busy machine may be 10 s late."""
STREAM_WINDOW_SECONDS = 600
"""The longest connection of the tests' stack. `ApiUser.watch` reads one, to the end of a job on a busy machine."""
_JOBS_TABLE = "millrace-JobsTable"
DISCARDING_URL = "http://127.0.0.1:9/"
"""The URL of a webhook that nothing receives: of the discard port, on which nothing listens."""
OTHER_ORIGIN = "https://app.example"
"""An origin whose pages may call the API of the tests' stack."""


def ended_execution(stack: LocalStack, arn: str) -> Mapping[str, Any]:
    """Wait until the execution has ended, which is after the end of its job, and return its description."""
    states = stack.client("stepfunctions")

    def ended() -> Mapping[str, Any]:
        execution: Mapping[str, Any] = states.describe_execution(executionArn=arn)
        return execution if execution["status"] != "RUNNING" else {}

    return wait_until(ended)


def any_record_waits(stack: LocalStack) -> bool:
    """Return whether a function has not yet handled a record of its stream."""
    return any(each["waiting"] for each in stack.sources()["streams"].values())


def until_refused(send: Callable[[], httpx.Response], *, most: int) -> tuple[int, httpx.Response]:
    """Send until a request is refused. Return how many were accepted, and the refusal.

    Any 60 seconds may have `most`: a busy machine takes longer for them, and then sends as many again.
    """
    began, accepted = time.monotonic(), 0
    while (response := send()).is_success:
        accepted += 1
        assert accepted <= most * (1 + (time.monotonic() - began) // 60)
        assert time.monotonic() - began < PATIENCE, "never refused"
    assert accepted >= most
    return accepted, response


def wait_until(condition: Callable[[], T], *, timeout: float = PATIENCE) -> T:
    """Return the first true result of `condition`; raise AssertionError after `timeout` seconds.

    The longer it waits, the longer its pauses become: most conditions are requests, which use the CPU of the stack.
    """
    deadline = time.monotonic() + timeout
    pause = 0.02
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {timeout} s"
        time.sleep(pause)
        pause = min(0.1, pause * 1.2)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; `id` is None if the stream sent no id."""

    id: int | None
    type: str
    data: dict[str, Any]

    @staticmethod
    def of(sent: ServerSentEvent) -> Event:
        event = Event(int(sent.id) if sent.id else None, sent.event, sent.json())
        assert event.data["type"] == event.type
        return event


def fold(events: Iterable[Event], text: str = "") -> str:
    """Return the text that a client shows after these events."""
    for event in events:
        match event.type:
            case "delta":
                text += event.data["text"]
            case "reset" | "snapshot":
                text = event.data["text"]
    return text


def refusal(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that the response is this refusal in the envelope, and return its `error`."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    envelope = response.json()
    assert envelope.keys() == {"success", "error", "meta"}
    assert envelope["success"] is False
    assert envelope["meta"].keys() == {"requestId", "traceId", "timestamp", "durationMs", "operation", "entity"}
    assert envelope["meta"]["entity"] == "none"
    error: dict[str, Any] = envelope["error"]
    assert error["code"] == code
    assert error["message"]
    return error


def broken_rules(response: httpx.Response) -> dict[str, str]:
    """Check that the response refuses the input, and return each invalid field with its rule."""
    error = refusal(response, 422, "VALIDATION_FAILED")
    assert error["retryable"] is False
    return {each["field"]: each["rule"] for each in error["details"]["fields"]}


def data_of(response: httpx.Response, status: int = 200) -> dict[str, Any]:
    """Check that the response is a success in the envelope, and return its `data`."""
    assert response.status_code == status, response.text
    envelope = response.json()
    assert envelope.keys() == {"success", "data", "meta"}
    assert envelope["success"] is True
    assert envelope["meta"]["requestId"] == response.headers["x-request-id"]
    data: dict[str, Any] = envelope["data"]
    return data


class ApiUser:
    """A new user with a token, unless `name` is given."""

    def __init__(self, stack: LocalStack, name: str | None = None) -> None:
        self.stack = stack
        self.name = name or f"user-{uuid.uuid4().hex}"
        self.token = stack.token(self.name)
        headers = {"Authorization": f"Bearer {self.token}"}
        # The URLs are plain HTTP. Without `verify=False` each client would read the machine's certificates in 15 ms.
        self.api, self.streams = (
            httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False, verify=False)
            for url in (stack.api_url, stack.stream_url)
        )

    def close(self) -> None:
        self.api.close()
        self.streams.close()

    def create(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """Send `POST /jobs` with the required fields of the input and these."""
        body = {"pipeline": "suggestion", "input": {**FIELDS, **fields}}
        return self.api.post("/jobs", json=body, headers=headers)

    def new_job(self, script: str = AT_ONCE) -> str:
        """Create a job with this directive for its model and a unique prompt; return its id."""
        page = f"Page {uuid.uuid4().hex}"
        response = self.create(pageOrComponent=page, additionalContext=f"[[script: {script}]]")
        return str(data_of(response, 202)["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        return data_of(self.api.get(f"/jobs/{job_id}"))

    def jobs(self, **parameters: Any) -> list[str]:
        """Return the ids of the user's jobs, newest first."""
        return [job["jobId"] for job in data_of(self.api.get("/jobs", params=parameters))["jobs"]]

    def new_agent(self, **fields: Any) -> str:
        """Create an agent with the required fields and these; return its id."""
        body = {"name": "Terse", "instructions": "One sentence per text.", **fields}
        return str(data_of(self.api.post("/agents", json=body), 201)["agentId"])

    def new_webhook(self, **fields: Any) -> str:
        """Create a webhook that nothing receives, with these fields; return its id."""
        body = {"url": DISCARDING_URL, "eventTypes": ["job.completed"], **fields}
        return str(data_of(self.api.post("/webhooks", json=body), 201)["webhookId"])

    def release(self, job_id: str) -> None:
        """Continue the model of a job that pauses (`pause_after`)."""
        unique = re.findall(r"[0-9a-f]{32}", json.dumps(self.job(job_id)["input"]))
        with ModelControl(self.stack.model_url) as model:
            model.release(unique[0])

    def cancel(self, job_id: str) -> httpx.Response:
        return self.api.post(f"/jobs/{job_id}/cancel")

    def attempt_of(self, job_id: str) -> dict[str, Any]:
        """Return the invocation of a stage that runs. A function that learns of changes of the job may run as well."""
        invocations = self.stack.invocations(f'"{job_id}"')
        (running,) = [each for each in invocations if each["payload"].get("jobId") == job_id and not each["ended"]]
        return running

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait until the job has ended, and return it; a completed job's log has its end then, too.

        It asks the database, because a request to the API takes five times the CPU of a read.
        """
        wait_until(lambda: self._has_ended(job_id))
        return self.job(job_id)

    def _has_ended(self, job_id: str) -> bool:
        """Return whether the job's item, and the log of a completed job, have their ends; also without an item."""
        item = self.stack.client("dynamodb").get_item(
            TableName=_JOBS_TABLE,
            Key={"PK": {"S": job_partition(job_id)}, "SK": {"S": JOB}},
            ConsistentRead=True,
        )
        status = item["Item"]["status"]["S"] if "Item" in item else None
        # The final status is stored before the log's last events.
        return self._log_has_ended(job_id) if status == "completed" else status in {None, "failed", "cancelled"}

    def _log_has_ended(self, job_id: str) -> bool:
        """Return whether the job's log ends with `complete`."""
        newest = self.stack.client("dynamodb").query(
            TableName=_JOBS_TABLE,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :events)",
            ExpressionAttributeValues={":pk": {"S": job_partition(job_id)}, ":events": {"S": EVENT_PREFIX}},
            ScanIndexForward=False,
            Limit=2,  # a subscription may have put a mark behind the last batch
            ConsistentRead=True,
        )["Items"]
        batches = [item for item in newest if "events" in item]
        return any(json.loads(item["events"]["S"])[-1]["type"] == "complete" for item in batches[:1])

    def stream_refused(self, job_id: str, *, after: str | None = None, **parameters: str) -> httpx.Response:
        """Return the response to a stream request that is refused or ends by itself."""
        return self.streams.get(f"/jobs/{job_id}/stream", params=parameters, headers=_resume(after))

    @contextmanager
    def stream(self, job_id: str, *, after: int | None = None, **parameters: str) -> Iterator[EventSource]:
        path = f"/jobs/{job_id}/stream"
        headers = _resume(None if after is None else str(after))
        with connect_sse(self.streams, "GET", path, params=parameters, headers=headers) as source:
            yield source

    def watch(self, job_id: str, *, after: int | None = None, **parameters: str) -> list[Event]:
        """Return every event of one connection, up to its end."""
        with self.stream(job_id, after=after, **parameters) as source:
            return [Event.of(sent) for sent in source.iter_sse()]


def _resume(after: str | None) -> dict[str, str]:
    return {} if after is None else {"Last-Event-ID": after}
