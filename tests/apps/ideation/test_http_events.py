"""The ideation functions on the events of `events/`: the first creates the run that the others read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.functions import OWNER, Handle, envelope, load_event

RUN_ID = "run_01jd8x2v5n7k3q9w4t6y8z0abc"
"""The run that the events name."""

Respond = Callable[[str], dict[str, Any]]


@pytest.fixture
def created(handle: Handle) -> dict[str, Any]:
    """Create a run, and return the data of the response."""
    data: dict[str, Any] = envelope(handle("create_ideation.valid"), 202)["data"]
    return data


@pytest.fixture
def respond(handle: Handle, created: dict[str, Any]) -> Respond:
    """Return a function that sends an event about the created run and returns the data of the response."""

    def ask(name: str) -> dict[str, Any]:
        event = json.loads(json.dumps(load_event(name)).replace(RUN_ID, created["runId"]))
        data: dict[str, Any] = envelope(handle(name, **event), 200)["data"]
        return data

    return ask


def test_creating_a_run_stores_it_with_its_job(created: dict[str, Any], respond: Respond) -> None:
    wanted = json.loads(load_event("create_ideation.valid")["body"])

    run = respond("get_ideation.valid")

    assert run["status"] == "running"
    assert {name: run["parameters"][name] for name in wanted} == wanted
    assert run["transform"]["jobId"] == created["jobId"]


def test_a_run_has_its_job_its_lineage_and_an_entry_in_the_list(created: dict[str, Any], respond: Respond) -> None:
    assert respond("get_ideation_job.valid")["job"]["jobId"] == created["jobId"]
    assert [each["ref"] for each in respond("get_ideation_lineage.valid")["artefacts"]] == ["parameters.v1"]
    assert [each["runId"] for each in respond("list_ideations.valid")["runs"]] == [created["runId"]]


def test_a_deleted_run_is_not_listed(handle: Handle, created: dict[str, Any], respond: Respond) -> None:
    assert respond("delete_ideation.valid") == {"runId": created["runId"]}
    assert respond("list_ideations.valid")["runs"] == []


@pytest.mark.parametrize("operation", ["get_ideation", "get_ideation_job", "get_ideation_lineage", "delete_ideation"])
def test_an_unknown_run_is_not_found(handle: Handle, operation: str) -> None:
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
def test_a_request_without_the_authorizers_claims_is_unauthenticated(handle: Handle, operation: str) -> None:
    event = load_event(f"{operation}.valid")
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == OWNER
    del event["requestContext"]["authorizer"]

    response = handle(f"{operation}.valid", requestContext=event["requestContext"])

    assert envelope(response, 401)["error"]["code"] == "UNAUTHENTICATED"
