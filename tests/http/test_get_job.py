"""GET /jobs/{jobId} returns the job to its owner only, until it expires."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.aws.deliveries import DELIVER
from local.model.control import ModelControl
from local.stack import ROOT
from local.template.template import Template
from tests.api_user import TERMINAL, ApiUser, Event, broken_rules, data_of, fold, refusal, wait_until
from tests.apps.suggestions.requests import FIELDS
from tests.apps.video.requests import new_project


def test_the_owner_gets_the_jobs_input_and_result(user: ApiUser) -> None:
    project = new_project(user)["projectId"]
    body = {"pipeline": "suggestion", "input": FIELDS, "links": {"projectId": project}}
    created = user.api.post("/jobs", json=body)
    job_id = data_of(created, 202)["jobId"]

    job = user.ended(job_id)

    assert job["status"] == "completed"
    assert job["input"] == FIELDS
    assert job["links"] == {"sessionId": None, "runId": None, "projectId": project}
    assert job["requestId"] == created.json()["meta"]["requestId"]
    assert (job["progress"], job["attempt"], job["retryCount"]) == (100, 1, 0)
    assert job["failure"] is job["lastFault"] is None
    assert job["usage"]["inputTokens"] > 0
    assert job["usage"]["outputTokens"] > 0
    assert job["createdAt"] <= job["startedAt"] <= job["endedAt"] <= job["expiresAt"]
    assert job["statusUrl"] == f"{user.stack.api_url}/jobs/{job_id}"
    assert job["result"]["suggestions"][0].keys() == {
        "title",
        "rationale",
        "description",
        "implementationConsiderations",
    }


@pytest.mark.parametrize(
    "job_id", ["job_01jd8x2v5n7k3q9w4t6y8z0abc", "job_", "nonsense", "job_" + "I" * 26, "%00", "%F0%9F%98%80", "%2e%2e"]
)
def test_an_unknown_job_is_not_found(user: ApiUser, job_id: str) -> None:
    refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")


def test_an_id_that_is_too_long_is_refused(user: ApiUser) -> None:
    assert broken_rules(user.api.get(f"/jobs/{'j' * 65}")).keys() == {"jobId"}


def test_another_users_job_is_forbidden(new_user: Callable[[], ApiUser]) -> None:
    job_id = new_user().new_job()

    refusal(new_user().api.get(f"/jobs/{job_id}"), 403, "FORBIDDEN")


def test_include_accepts_only_stack_trace(user: ApiUser) -> None:
    response = user.api.get(f"/jobs/{user.new_job()}", params={"include": "everything"})

    assert broken_rules(response) == {"include": "must be 'stackTrace'"}


def test_an_expired_job_is_found_from_its_archival_on(user: ApiUser, tmp_path: Path) -> None:
    job_id = user.new_job()
    with user.stack.holding(DELIVER, job_id, function="ArchiveJobFunction", executed=False):
        live = user.ended(job_id)
        user.stack.expire(job_id)

        refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")
        refusal(user.cancel(job_id), 404, "NOT_FOUND")
        refusal(user.api.post(f"/jobs/{job_id}/stream-tickets"), 404, "NOT_FOUND")
        refusal(user.stream_refused(job_id), 404, "NOT_FOUND")
        refusal(user.stream_refused(job_id, after="3"), 404, "NOT_FOUND")
        assert user.jobs() == []
        month = datetime.now(UTC).strftime("%Y-%m")
        assert archived_ids(user, month=month) == []

    wait_until(lambda: user.api.get(f"/jobs/{job_id}").status_code == 200)
    archived = user.job(job_id)
    assert archived["archived"]
    assert [each["type"] for each in archived["history"]] == ["stage", "text", "stage", "complete"]
    same = live.keys() - {"archived", "expiresAt", "usage", "updatedAt"}
    assert {name: archived[name] for name in same} == {name: live[name] for name in same}

    snapshot, end = user.watch(job_id)[1:]
    assert (snapshot.type, end.type, end.id) == ("snapshot", "complete", live["lastEventId"])
    assert end.data["result"] == live["result"]
    assert user.stream_refused(job_id, after=str(end.id)).status_code == 204
    ticket = data_of(user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)
    assert user.streams.get(f"/jobs/{job_id}/stream", params={"ticket": ticket["ticket"]}).status_code == 200
    refusal(user.api.post(f"/jobs/{job_id}/resume"), 409, "CONFLICT")
    created_in = archived["createdAt"][:7]
    assert archived_ids(user, month=created_in) == [job_id]
    assert archived_ids(user, month=created_in, status="failed") == []

    assert usage_of(user, job_id, tmp_path) == (live["usage"]["inputTokens"], live["usage"]["outputTokens"])


def archived_ids(user: ApiUser, **filters: str) -> list[str]:
    found = data_of(user.api.get("/jobs", params={"archived": "true", **filters}), 200)
    return [job["jobId"] for job in found["jobs"]]


def usage_of(user: ApiUser, job_id: str, folder: Path) -> Any:
    """Return the tokens of the job that DuckDB reads in the ledger; the line is written after the record."""
    s3, (bucket,) = user.stack.client("s3"), Template(ROOT / "template.yaml").buckets

    def counted() -> Any:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="usage/")
        for each in (found for page in pages for found in page.get("Contents", ())):
            file = folder / each["Key"].replace("/", "_")
            file.write_bytes(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        if not list(folder.iterdir()):
            return None
        with duckdb.connect() as database:
            files = str(folder / "*.jsonl.gz")
            sql = "SELECT DISTINCT inputTokens, outputTokens FROM read_json(?) WHERE jobId = ?"
            return database.execute(sql, [files, job_id]).fetchone()

    return wait_until(counted)


@pytest.mark.parametrize(
    ("query", "field"),
    [("archived=true", "month"), ("month=2026-11", "month"), ("archived=true&month=2026-13", "month")],
)
def test_a_list_of_archived_jobs_names_its_month(user: ApiUser, query: str, field: str) -> None:
    assert list(broken_rules(user.api.get(f"/jobs?{query}"))) == [field]


def test_an_unknown_path_is_not_found(user: ApiUser) -> None:
    refusal(user.api.get("/nowhere"), 404, "NOT_FOUND")
    refusal(user.streams.get("/"), 404, "NOT_FOUND")


EMOJI_CARD = {
    "title": "Offline basket",
    "rationale": "🎼" * 4_000,
    "description": "🎼" * 4_000,
    "implementationConsiderations": ["🎼" * 4_000] * 12,
}
"""The largest suggestion. Lambda sends a response as a text inside of JSON, in which an emoji takes twelve bytes."""


def test_a_result_that_no_response_can_hold_comes_whole_over_the_stream(user: ApiUser, model: ModelControl) -> None:
    largest = json.dumps({"suggestions": [EMOJI_CARD] * 10}, ensure_ascii=False)
    assert sent_bytes(largest) > 6_700_000
    model.script(match="A page with 7 MB", text=largest, tokens=200, first_token_ms=0, token_ms=0)
    job_id = data_of(user.create(pageOrComponent="A page with 7 MB"), 202)["jobId"]

    events = watched_to_its_end(user, job_id)

    assert events[-1].data["result"] == json.loads(largest)
    assert fold(events) == largest
    response = user.api.get(f"/jobs/{job_id}")
    assert sent_bytes(response.text) < LAMBDAS_LIMIT
    job = data_of(response)
    assert set(job["omitted"]) == {"text", "result"}
    assert (job["status"], job["text"], job["result"], job["lastEventId"]) == ("completed", "", None, 0)
    assert fold(watched_to_its_end(user, job_id)) == largest


def watched_to_its_end(user: ApiUser, job_id: str) -> list[Event]:
    """Return the events of as many connections as the job takes."""
    events = user.watch(job_id)
    while events[-1].type not in TERMINAL:
        events += user.watch(job_id, after=max((event.id for event in events if event.id is not None), default=0))
    return events


LAMBDAS_LIMIT = 6_291_556
"""Bytes of the largest response that Lambda returns."""


def sent_bytes(body: str) -> int:
    return len(json.dumps(body))
