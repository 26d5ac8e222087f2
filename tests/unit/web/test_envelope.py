"""The envelope of every response."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from shared.errors import ErrorCode
from shared.web.envelope import Entity, ErrorEnvelope, Exchange, Operation, error_body
from shared.web.jobs import JobList


def test_a_success_has_its_data_operation_and_entity() -> None:
    exchange = Exchange(Operation.LIST_JOBS, request_id="r-1")
    began = datetime.now(UTC) - timedelta(milliseconds=1)  # a timestamp has no microseconds

    envelope = exchange.success(JobList(jobs=(), cursor=None), Entity.JOB_LIST).model_dump(mode="json")

    meta = envelope.pop("meta")
    assert envelope == {"success": True, "data": {"jobs": [], "cursor": None}}
    assert (meta["requestId"], meta["operation"], meta["entity"]) == ("r-1", "list_jobs", "job_list")
    assert meta["durationMs"] >= 0
    assert began <= datetime.fromisoformat(meta["timestamp"]) <= datetime.now(UTC)


def test_every_request_has_a_different_id() -> None:
    first, second = Exchange(Operation.GET_JOB), Exchange(Operation.GET_JOB)

    assert uuid.UUID(first.request_id) != uuid.UUID(second.request_id)


def test_a_refusal_without_a_function_is_a_complete_envelope() -> None:
    body = error_body(ErrorCode.NOT_FOUND, "no such resource", request_id="r-2")

    read = ErrorEnvelope.model_validate(body)
    assert read.error.code is ErrorCode.NOT_FOUND
    assert (read.meta.request_id, read.meta.operation, read.meta.entity) == ("r-2", Operation.UNKNOWN, Entity.NONE)
    assert body["error"]["details"] == {
        "fields": [],
        "jobId": None,
        "retryAfterSeconds": None,
        "state": None,
        "allowed": [],
        "activeJobId": None,
    }
