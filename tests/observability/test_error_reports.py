"""A report to Sentry locates the defect and contains nothing of prompts or outputs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.observability import error_reports
from shared.observability import log as logging
from shared.observability.log import log
from tests.api_user import ApiUser, data_of, wait_until
from tests.observability.conftest import WatchedStack
from tests.observability.sentry_ingest import SentryIngest

REPOSITORY = str(Path(__file__).parents[2])
SECRET = "the plan to teach giraffes chess"


def break_with(secret: str) -> None:
    """Raise a defect with the secret in its locals, its message and its cause."""
    held = {"prompt": secret}
    try:
        int(held["prompt"])
    except ValueError as cause:
        raise LookupError(f"cannot find {secret}") from cause


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Iterator[SentryIngest]:
    monkeypatch.setattr(error_reports, "_state", error_reports._State())
    with SentryIngest() as ingest:
        monkeypatch.setenv("SENTRY_DSN", ingest.dsn)
        monkeypatch.setenv("SENTRY_ENVIRONMENT", "staging")
        monkeypatch.setenv("SENTRY_RELEASE", "abc123")
        yield ingest


def report_defect(**fields: Any) -> None:
    try:
        break_with(SECRET)
    except LookupError as error:
        log.defect("stage broke", error, job_id="job_1", **fields)


def test_the_report_of_a_defect_has_its_place_and_its_job(ingest: SentryIngest) -> None:
    with log.about(request_id="request-1", trace_id="1-5759e988-bd862e3fe1be46a994272793"):
        report_defect(stage="generate_suggestions", prompt=SECRET)
    error_reports.flush()

    (event,) = wait_until(lambda: ingest.events)
    assert (event["release"], event["environment"], event["level"]) == ("abc123", "staging", "error")
    assert event["tags"] == {
        "job_id": "job_1",
        "request_id": "request-1",
        "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "stage": "generate_suggestions",
    }
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("LookupError", "stage broke")
    assert [frame["function"] for frame in exception["stacktrace"]["frames"]] == ["report_defect", "break_with"]


def test_the_report_of_a_failed_job_has_its_code(ingest: SentryIngest) -> None:
    log.error("job failed", job_id="job_1", code="MODEL_REJECTED_REQUEST", stage="generate_suggestions", error="x")
    error_reports.flush()

    (event,) = wait_until(lambda: ingest.events)
    assert event["logentry"]["message"] == "job failed"
    assert event["tags"] == {"job_id": "job_1", "code": "MODEL_REJECTED_REQUEST", "stage": "generate_suggestions"}


def test_a_report_does_not_contain_the_prompt(ingest: SentryIngest) -> None:
    report_defect(input={"additionalContext": SECRET}, message_of_model=SECRET)
    error_reports.flush()

    (envelope,) = wait_until(lambda: ingest.envelopes)
    assert "job_1" in envelope
    for word in (SECRET, "giraffes", "/test_error_reports", REPOSITORY, "vars", "server_name", "sys.argv", "modules"):
        assert word not in envelope.partition("\n\n")[2], word


def test_the_filter_removes_every_field_that_is_not_allowed() -> None:
    frame = {"function": "f", "lineno": 3, "vars": {"p": SECRET}, "context_line": SECRET, "pre_context": [SECRET]}
    event: Any = {
        "event_id": "1",
        "request": {"data": SECRET},
        "extra": {"input": SECRET},
        "contexts": {"c": {"v": SECRET}},
        "breadcrumbs": {"values": [{"message": SECRET}]},
        "user": {"id": SECRET},
        "tags": {"job_id": "job_1", "prompt": SECRET},
        "exception": {"values": [{"type": "T", "value": "ours", "stacktrace": {"frames": [frame]}}]},
    }
    assert error_reports.scrub(event, {}) == {
        "event_id": "1",
        "tags": {"job_id": "job_1"},
        "exception": {
            "values": [{"type": "T", "value": "ours", "stacktrace": {"frames": [{"function": "f", "lineno": 3}]}}]
        },
    }


def test_without_a_dsn_the_code_sends_no_report_and_creates_no_client(
    ingest: SentryIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRY_DSN", "")
    monkeypatch.setattr(error_reports, "_client", lambda _: pytest.fail("a client was made"))
    report_defect()

    assert not error_reports.pending()
    error_reports.flush()
    assert ingest.envelopes == []


@pytest.mark.parametrize("dsn", ["not a dsn", "http://nokey/1", "https://key@host"])
def test_an_invalid_dsn_breaks_nothing_and_is_logged(
    ingest: SentryIngest, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    told: list[str] = []
    monkeypatch.setenv("SENTRY_DSN", dsn)
    monkeypatch.setattr(logging._logger(), "warning", lambda message, extra: told.append(extra["reason"]))
    report_defect()

    assert told == ["BadDsn"]
    assert not error_reports.pending()


@pytest.mark.parametrize("how", ["refuses", "gone"])
def test_the_code_does_not_wait_for_a_sentry_that_refuses_or_is_down(
    ingest: SentryIngest, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "gone":
        monkeypatch.setenv("SENTRY_DSN", "http://key@127.0.0.1:9/1")
    ingest.how = "refuses"
    report_defect()
    error_reports.flush()

    assert ingest.envelopes == []
    assert not error_reports.pending()


def test_the_code_waits_only_once_for_a_sentry_that_hangs(
    ingest: SentryIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest.how = "hangs"
    report_defect()
    error_reports.flush()

    assert wait_until(lambda: ingest.unanswered) == 1
    report_defect()
    monkeypatch.setattr(error_reports, "_client", lambda _: pytest.fail("it was waited for again"))
    error_reports.flush()


# ---- a whole stack -------------------------------------------------------------------------------------------------


def broken_job(watched: WatchedStack, user: ApiUser) -> dict[str, Any]:
    """Create a job that fails with a defect: an unknown error of DynamoDB."""
    page = f"Page {uuid.uuid4().hex}"
    with ModelControl(watched.stack.model_url) as model:
        asked = user.create(pageOrComponent=page, additionalContext=f"{SECRET} [[script: pause_after=0, token_ms=0]]")
        job_id = str(data_of(asked, 202)["jobId"])
        model.wait_for_request(lambda request: page in str(request["messages"]))
        # Three writes fail. Each is sent twice: directly, and by botocore (docs/decisions/0063).
        watched.stack.inject_fault("PutItem", error="ValidationException", count=6, job_id=job_id)
        model.release(page)
    return user.ended(job_id)


def test_sentry_gets_the_report_of_a_defect_before_the_function_freezes(
    watched: WatchedStack, watched_user: ApiUser
) -> None:
    watched.sentry.how = "takes"
    job = broken_job(watched, watched_user)
    assert (job["status"], job["failure"]["code"]) == ("failed", "INTERNAL_ERROR")

    broke, *others = wait_until(lambda: of_job(watched, job["jobId"]))
    assert broke["exception"]["values"][0]["value"] == "stage broke"
    assert any(
        "shared/log/writer.py" in str(frame) for frame in broke["exception"]["values"][0]["stacktrace"]["frames"]
    )
    for event in (broke, *others):
        assert event["release"] == "release-7"
        assert event["environment"] == "millrace"
        assert event["tags"]["trace_id"] == job["traceId"]
        assert event["tags"]["request_id"]
    assert SECRET not in "".join(watched.sentry.envelopes)


def of_job(watched: WatchedStack, job_id: str) -> list[dict[str, Any]]:
    return [event for event in watched.sentry.events if event["tags"].get("job_id") == job_id]


def test_a_sentry_that_hangs_does_not_break_a_job(watched: WatchedStack, watched_user: ApiUser) -> None:
    watched.sentry.how = "hangs"
    job = broken_job(watched, watched_user)

    assert (job["status"], job["failure"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert wait_until(lambda: watched.sentry.unanswered)
    assert watched_user.ended(watched_user.new_job())["status"] == "completed"
