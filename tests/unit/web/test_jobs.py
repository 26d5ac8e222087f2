"""Requests for jobs of several pipelines, and the responses that show a job."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import Field
from starlette.requests import Request

from shared.apps.suggestions.pipeline import PIPELINE
from shared.jobs.job import Fault, Job, JobStatus
from shared.jobs.pipeline import JobInput, Pipeline, Pipelines
from shared.jobs.queries import JobView
from shared.log.events import Delta, Item
from shared.log.transcript import Transcript
from shared.schema import Schema
from shared.web.app import create_app
from shared.web.envelope import Operation
from shared.web.jobs import detail, job_request_type, summary, union_branches
from shared.web.urls import Urls
from tests.unit.web.test_errors import a_job


class SongInput(JobInput):
    first_line: str = Field(min_length=1)
    verses: list[str] = Field(default=[], max_length=2)


SONG = Pipeline("song", SongInput, Schema, ("sing",))
VALID_INPUT = {"pageOrComponent": "Checkout", "featureType": "enhancement", "priorityLevel": "low"}


def app_for(*several: Pipeline) -> FastAPI:
    pipelines = Pipelines(*several)
    app = create_app(Operation.CREATE_JOB, union_branches=union_branches(pipelines))
    kind = job_request_type(pipelines)

    def create(body: Any) -> dict[str, Any]:
        return {"pipeline": body.pipeline, "input": type(body.input).__name__}

    create.__annotations__["body"] = kind
    app.post("/jobs")(create)
    return app


def post(app: FastAPI, body: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.post("/jobs", json=body)

    return asyncio.run(request())


@pytest.mark.parametrize("pipelines", [(PIPELINE,), (PIPELINE, SONG)])
def test_the_pipeline_decides_the_type_of_the_input(pipelines: tuple[Pipeline, ...]) -> None:
    response = post(app_for(*pipelines), {"pipeline": "suggestion", "input": VALID_INPUT})

    assert response.json() == {"pipeline": "suggestion", "input": "SuggestionInput"}


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"pipeline": "song", "input": {}}, "input.firstLine", "is required"),
        (
            {"pipeline": "song", "input": {"firstLine": ""}},
            "input.firstLine",
            "must have at least 1 character",
        ),
        (
            {"pipeline": "song", "input": {"firstLine": "la", "first_line": "la"}},
            "input.first_line",
            "is not a known field",
        ),
        (
            {"pipeline": "song", "input": {"firstLine": "la", "verses": ["a", "b", "c"]}},
            "input.verses",
            "must have at most 2 items, not 3",
        ),
        ({"pipeline": "song", "input": {"firstLine": "la"}, "song": 1}, "song", "is not a known field"),
        ({"pipeline": "opera", "input": {}}, "pipeline", "must be one of: 'song', 'suggestion'"),
        ({"input": {}}, "pipeline", "is required"),
        ([], "body", "must be an object"),
    ],
)
def test_issues_name_the_fields_of_the_clients_pipeline(body: Any, field: str, rule: str) -> None:
    response = post(app_for(PIPELINE, SONG), body)

    assert response.status_code == 422
    assert response.json()["error"]["details"]["fields"] == [{"field": field, "rule": rule}]


URLS = Urls(
    Request({"type": "http", "scheme": "https", "server": ("api", 443), "path": "/", "headers": []}), "https://s/"
)


def failed_job() -> Job:
    fault = Fault.model_validate({"code": "INTERNAL_ERROR", "message": "m", "stackTrace": "File x"})
    return a_job().model_copy(update={"failure": fault, "status": JobStatus.FAILED})


def test_the_progress_belongs_to_the_last_event_also_if_the_job_has_failed_before_its_log_ended() -> None:
    """The job's end is stored before the log's, so a reader can see one without the other."""
    failed = failed_job().model_copy(update={"progress": 80.0})
    written = Transcript(seq=7, stage="polish", progress=35)
    assert detail(JobView(failed, written, {}), URLS, show_stack_trace=False).progress == 35


def test_a_completed_job_is_at_100_although_its_log_has_no_end_yet() -> None:
    completed = a_job().model_copy(update={"status": JobStatus.COMPLETED, "progress": 100.0, "stage": "polish"})
    shown = detail(JobView(completed, Transcript(seq=7, stage="polish", progress=95), {}), URLS, show_stack_trace=False)
    assert (shown.progress, shown.last_event_id) == (100, 7)


def test_a_stack_trace_is_shown_only_on_request() -> None:
    view = JobView(failed_job(), Transcript(), None)

    hidden, shown = (detail(view, URLS, show_stack_trace=wanted).failure for wanted in (False, True))

    assert hidden is not None
    assert shown is not None
    assert (hidden.stack_trace, shown.stack_trace) == (None, "File x")
    listed = summary(failed_job(), URLS).failure
    assert listed is not None
    assert listed.stack_trace is None


def test_urls_have_one_slash_between_their_parts() -> None:
    shown = summary(a_job(), URLS)

    assert shown.status_url == "https://api/jobs/job_1"
    assert shown.stream_url == "https://s/jobs/job_1/stream"


LAMBDAS_LIMIT = 6_291_556


def a_view(text: str = "", result: dict[str, Any] | None = None, *items: str) -> JobView:
    written = Transcript(seq=0)
    written.apply(1, Delta(text=text))
    for number, data in enumerate(items, start=2):
        written.apply(number, Item(stage="s", key=str(number), data={"data": data}, text_length=0))
    return JobView(a_job(), written, result)


@pytest.mark.parametrize(
    ("view", "omitted"),
    [
        (a_view("x" * 5_000_000, {"a": "y"}, "z"), ()),
        (a_view("x" * 7_000_000, {"a": "y"}, "z"), ("text",)),
        (a_view('"' * 1_500_000), ("text",)),
        (a_view("é" * 1_200_000), ("text",)),
        (a_view("x", {"a": "y" * 7_000_000}), ("result",)),
        (a_view("x" * 7_000_000, {"a": "y" * 8_000_000}), ("result", "text")),
        (a_view("x" * 100, None, *["z" * 60_000] * 100), ("items",)),
    ],
    ids=["5 MB", "7 MB of text", "quotes", "no ASCII", "a result", "both", "items"],
)
def test_a_job_is_never_larger_than_lambda_may_return(view: JobView, omitted: tuple[str, ...]) -> None:
    shown = detail(view, URLS, show_stack_trace=False)

    assert shown.omitted == omitted
    assert all(not getattr(shown, name) for name in omitted)
    assert shown.last_event_id == (0 if omitted else view.transcript.seq)
    assert len(json.dumps({"body": shown.model_dump_json()})) < LAMBDAS_LIMIT
