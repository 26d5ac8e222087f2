"""The X-Ray daemon gets one trace that covers the request, all stages and the stream."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, data_of, refusal, wait_until

Document = dict[str, Any]
OUTSIDE = "53995c3f42cd8ad8"
"""The parent that a client names, which the stack does not record."""


def trace_of(stack: LocalStack, trace_id: str, *names: str) -> dict[str, list[Document]]:
    """Wait for documents with all these names and for their parents, and return the trace's documents by name.

    A document comes when its part of the trace has ended, so a parent's comes after its children's.
    """

    def found() -> dict[str, list[Document]]:
        by_name: dict[str, list[Document]] = {}
        documents = stack.xray.trace(trace_id)
        for document in documents:
            by_name.setdefault(document["name"], []).append(document)
        ids = {each["id"] for each in documents} | {OUTSIDE}
        complete = all(each.get("parent_id", OUTSIDE) in ids for each in documents)
        return by_name if complete and set(names) <= by_name.keys() else {}

    return wait_until(found)


def test_one_trace_contains_the_request_the_stages_and_the_stream(stack: LocalStack, user: ApiUser) -> None:
    began = time.time()
    job_id = user.new_job(AT_ONCE)
    user.watch(job_id)
    job = user.ended(job_id)

    names = ("create_job", "generate_suggestions", "validate_suggestions", "complete_job", "model", "stream")
    trace = trace_of(stack, job["traceId"], *names)

    documents = [each for group in trace.values() for each in group]
    by_id = {each["id"]: each for each in documents}
    assert len(by_id) == len(documents)
    for document in documents:
        assert began - 0.1 <= document["start_time"] <= document["end_time"] <= time.time()
        parent = document.get("parent_id")
        assert (parent is None) == (document.get("type") is None)
        if parent is not None:
            assert by_id[parent]["start_time"] <= document["start_time"]
        assert not document.keys() & {"fault", "error"}, document
    (created,) = trace["create_job"]
    (service,) = trace["millrace-create_job"]
    assert created["parent_id"] == service["id"]
    assert service["annotations"]["origin"] == "AWS::Lambda::Function"
    for stage in ("generate_suggestions", "validate_suggestions", "complete_job"):
        (attempt,) = trace[stage]
        (function,) = trace[f"millrace-{stage}"]
        assert attempt["parent_id"] == function["id"]
        assert function["parent_id"] == created["id"]  # by the execution's trace header
        assert attempt["annotations"]["job_id"] == job_id
        assert attempt["annotations"]["request_id"] == created["annotations"]["request_id"]
    (model,) = trace["model"]
    assert model["parent_id"] == trace["generate_suggestions"][0]["id"]
    assert model["annotations"]["output_tokens"] == job["usage"]["outputTokens"]
    (stream,) = trace["stream"]
    assert stream["annotations"]["job_id"] == job_id
    assert stream["annotations"]["reason"] == "finished"


def test_the_trace_marks_a_failed_attempt_and_not_the_successful_one(stack: LocalStack, user: ApiUser) -> None:
    job_id = user.new_job("status=429, times=1, token_ms=0")
    job = user.ended(job_id)

    trace = trace_of(stack, job["traceId"], "complete_job")
    first, second = trace["generate_suggestions"]
    assert first["fault"] is True
    assert [each["type"] for each in first["cause"]["exceptions"]] == ["ModelRateLimited"]
    assert first["annotations"]["error_code"] == "MODEL_RATE_LIMITED"
    assert (first["annotations"]["attempt"], second["annotations"]["attempt"]) == (1, 2)
    assert "fault" not in second
    assert [each.get("fault", False) for each in trace["model"]] == [True, False]
    assert [each.get("fault", False) for each in trace["millrace-generate_suggestions"]] == [True, False]


def test_a_failed_job_has_the_same_trace_id_in_every_place(stack: LocalStack, user: ApiUser) -> None:
    created = user.create(additionalContext="[[script: refusal]]")
    job_id = data_of(created, 202)["jobId"]
    trace_id = created.json()["meta"]["traceId"]

    events = user.watch(job_id)
    job = user.ended(job_id)

    assert job["traceId"] == job["failure"]["traceId"] == events[-1].data["traceId"] == trace_id
    assert events[-1].data["requestId"] == created.json()["meta"]["requestId"]
    trace = trace_of(stack, trace_id, "record_failure")
    assert trace["generate_suggestions"][0]["annotations"]["error_code"] == "MODEL_REFUSED"


def test_a_resumed_job_continues_the_trace_of_the_resume_request(stack: LocalStack, user: ApiUser) -> None:
    job_id = user.new_job("refusal, times=1")
    first = user.ended(job_id)
    resumed = user.api.post(f"/jobs/{job_id}/resume")
    assert resumed.status_code == 202

    second = user.ended(job_id)

    assert second["traceId"] == resumed.json()["meta"]["traceId"] != first["traceId"]
    trace_of(stack, second["traceId"], "resume_job", "generate_suggestions", "complete_job")


@pytest.mark.parametrize("where", ["api", "streams"])
def test_a_refusal_names_its_trace_which_contains_the_error(stack: LocalStack, user: ApiUser, where: str) -> None:
    client, path, name = {
        "api": (user.api, "/jobs/job_unknown", "get_job"),
        "streams": (user.streams, "/jobs/job_unknown/stream", "stream_job"),
    }[where]
    response = client.get(path)
    refusal(response, 404, "NOT_FOUND")

    (document,) = trace_of(stack, response.json()["meta"]["traceId"], name)[name]
    assert document["error"] is True
    assert document["http"] == {"response": {"status": 404}}
    assert document["annotations"]["request_id"] == response.headers["x-request-id"]


def test_a_request_with_a_trace_header_continues_that_trace(stack: LocalStack, user: ApiUser) -> None:
    mine = "1-67891233-abcdef012345678912345678"
    response = user.api.get("/jobs", headers={"X-Amzn-Trace-Id": f"Root={mine};Parent={OUTSIDE};Sampled=1"})

    assert response.json()["meta"]["traceId"] == mine
    (function,) = trace_of(stack, mine, "millrace-list_jobs")["millrace-list_jobs"]
    assert function["parent_id"] == OUTSIDE


def test_a_request_with_sampled_0_leaves_no_trace(stack: LocalStack, user: ApiUser) -> None:
    mine = "1-67891233-0123456789abcdef01234567"
    user.api.get("/jobs", headers={"X-Amzn-Trace-Id": f"Root={mine};Sampled=0"})
    seen = user.api.get("/jobs").json()["meta"]["traceId"]

    trace_of(stack, seen, "list_jobs")  # the later request's trace has arrived
    assert stack.xray.trace(mine) == []
