"""The brainstorming functions on the events of `events/`: one opens the run that the others are about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.functions import OWNER, Handle, envelope, load_event

RUN_ID = "run_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The run the events are about."""

About = Callable[[str], dict[str, Any]]


@pytest.fixture
def opened(handle: Handle) -> dict[str, Any]:
    """What opening a run has answered."""
    data: dict[str, Any] = envelope(handle("create_ideation.valid"), 202)["data"]
    return data


@pytest.fixture
def about(handle: Handle, opened: dict[str, Any]) -> About:
    """What the event's function answers when the event is about the run that was opened."""

    def ask(name: str) -> dict[str, Any]:
        event = json.loads(json.dumps(load_event(name)).replace(RUN_ID, opened["runId"]))
        data: dict[str, Any] = envelope(handle(name, **event), 200)["data"]
        return data

    return ask


def test_opening_a_run_stores_it_with_its_job(opened: dict[str, Any], about: About) -> None:
    asked = json.loads(load_event("create_ideation.valid")["body"])

    run = about("get_ideation.valid")

    assert run["status"] == "running"
    assert {name: run["parameters"][name] for name in asked} == asked
    assert run["transform"]["jobId"] == opened["jobId"]


def test_a_run_tells_its_job_its_lineage_and_its_place_in_the_list(opened: dict[str, Any], about: About) -> None:
    assert about("get_ideation_job.valid")["job"]["jobId"] == opened["jobId"]
    assert [each["ref"] for each in about("get_ideation_lineage.valid")["artefacts"]] == ["parameters.v1"]
    assert [each["runId"] for each in about("list_ideations.valid")["runs"]] == [opened["runId"]]


def test_a_deleted_run_is_gone(handle: Handle, opened: dict[str, Any], about: About) -> None:
    assert about("delete_ideation.valid") == {"runId": opened["runId"]}
    assert about("list_ideations.valid")["runs"] == []


@pytest.mark.parametrize("operation", ["get_ideation", "get_ideation_job", "get_ideation_lineage", "delete_ideation"])
def test_a_run_that_is_not_there_is_not_found(handle: Handle, operation: str) -> None:
    assert envelope(handle(f"{operation}.valid"), 404)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "operation",
    [
        "create_ideation",
        "list_ideations",
        "get_ideation",
        "get_ideation_job",
        "get_ideation_lineage",
        "delete_ideation",
    ],
)
def test_a_call_that_came_past_the_authorizer_is_nobodys(handle: Handle, operation: str) -> None:
    event = load_event(f"{operation}.valid")
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == OWNER
    del event["requestContext"]["authorizer"]

    answer = handle(f"{operation}.valid", requestContext=event["requestContext"])

    assert envelope(answer, 401)["error"]["code"] == "UNAUTHENTICATED"
