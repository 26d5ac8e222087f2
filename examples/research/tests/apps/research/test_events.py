"""The functions of the research application on their events."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from shared.errors import InvalidModelOutput, ModelRateLimited
from shared.jobs.job import Job
from tests.api_user import AT_ONCE
from tests.fixtures.functions import Handle, done, envelope, load_event

NOTEBOOK = "nbk_01jd8x2v5n7k3q9w4t6y8z0abc"
CHOSEN = {**done("choose_sources"), "parts": ("flood_diary",)}
READ = {**done("read_source"), "part": "flood_diary"}


def put_question(put: Callable[..., Job], directive: str = AT_ONCE) -> None:
    put(
        "research",
        {"question": f"Which floods came in March, after rain on snow? [[script: {directive}]]", "sourceCount": 1},
    )


def test_a_retry_finishes_a_part_after_a_transient_fault_and_finds_a_stage_finished(
    handle: Handle, put: Callable[..., Job]
) -> None:
    put_question(put, f"{AT_ONCE}, status=429, times=1")
    assert handle("choose_sources.first_attempt") == CHOSEN

    with pytest.raises(ModelRateLimited):
        handle("read_source.first_attempt")
    assert handle("read_source.retry") == READ
    assert handle("write_report.first_attempt") == done("write_report")
    assert handle("write_report.retry") == done("write_report")


def test_a_retry_of_the_choice_finds_it_made(handle: Handle, put: Callable[..., Job]) -> None:
    put_question(put)
    assert handle("choose_sources.first_attempt") == CHOSEN
    assert handle("choose_sources.retry") == CHOSEN


def test_notes_that_do_not_fit_fail_the_job(handle: Handle, put: Callable[..., Job]) -> None:
    put_question(put, "invalid_json")
    handle("choose_sources.first_attempt")
    with pytest.raises(InvalidModelOutput, match="the model's notes are not valid"):
        handle("read_source.first_attempt")


def test_a_notebook_that_was_created_is_read(handle: Handle) -> None:
    created = envelope(handle("create_notebook.valid"), 201)["data"]
    event = json.loads(json.dumps(load_event("get_notebook.valid")).replace(NOTEBOOK, created["notebookId"]))
    read = envelope(handle("get_notebook.valid", **event), 200)["data"]
    assert (read["title"], read["jobs"], read["entries"]) == ("Floods of the Wend", 0, [])


def test_an_unknown_notebook_is_not_found(handle: Handle) -> None:
    assert envelope(handle("get_notebook.valid"), 404)["error"]["code"] == "NOT_FOUND"
