"""The functions of sheet chat on the events of `events/`: the first creates the session that the others work on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.apps.sheets.artefacts import SESSION
from tests.apps.sheets.requests import upload
from tests.fixtures.functions import JOB_ID, OWNER, Handle, envelope, load_event
from tests.patience import ALLOWANCE, PATIENCE

Send = Callable[..., Any]
OPERATIONS = (
    "create_session",
    "list_sessions",
    "get_session",
    "create_upload_url",
    "load_session",
    "recover_session",
    "close_session",
    "delete_session",
    "list_messages",
    "get_cells",
    "edit_cells",
    "undo_change",
    "redo_change",
    "list_versions",
    "create_export",
    "create_message",
)


@pytest.fixture(autouse=True)
def _patient_engine(tables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the engine the time that a busy machine needs; `tables` sets the product's own."""
    monkeypatch.setenv("ENGINE_TIME_FACTOR", str(ALLOWANCE))


@pytest.fixture
def session(handle: Handle) -> dict[str, Any]:
    """Create a session, upload its file, and return the data of the response."""
    data: dict[str, Any] = envelope(handle("create_session.valid"), 201)["data"]
    assert upload(data).status_code == 200
    return data


@pytest.fixture
def send(handle: Handle, session: dict[str, Any]) -> Send:
    """Return a function that sends an event about the session, and about a job of it, and returns the response."""

    def ask(name: str, job_id: str = JOB_ID) -> Any:
        text = json.dumps(load_event(name)).replace(SESSION, session["sessionId"]).replace(JOB_ID, job_id)
        return handle(name, **json.loads(text))

    return ask


def data(response: Any, status: int = 200) -> dict[str, Any]:
    found: dict[str, Any] = envelope(response, status)["data"]
    return found


def load(send: Send, *cases: str) -> str:
    """Load the session's file stage by stage, at these events, and return the job's id."""
    job_id: str = data(send("load_session.valid"), 202)["jobId"]
    for stage, case in zip(("inspect_workbook", "load_workbook", "complete_job"), cases, strict=True):
        assert send(f"{stage}.{case}", job_id) == {"jobId": job_id, "stage": stage, "status": "done"}
    return job_id


def test_a_session_is_listed_and_read(send: Send, session: dict[str, Any]) -> None:
    [listed] = data(send("list_sessions.valid"))["sessions"]
    assert {**listed, "upload": session["upload"]} == session
    assert data(send("get_session.valid")) == listed
    assert data(send("list_messages.valid")) == {"messages": [], "cursor": None}


@pytest.mark.parametrize(
    ("inspect", "load_it"),
    [
        ("inspect_workbook.first_attempt", "load_workbook.first_attempt"),
        ("inspect_workbook.retry", "load_workbook.retry"),
    ],
)
def test_a_load_passes_through_its_stages(send: Send, inspect: str, load_it: str) -> None:
    cases = [name.partition(".")[2] for name in (inspect, load_it)]
    load(send, *cases, "first_attempt")
    session = data(send("get_session.valid"))
    assert (session["state"], session["version"], session["activeJobId"]) == ("ACTIVE", 1, None)
    assert [sheet["rows"] for sheet in session["sheets"]] == [4]


def test_a_cancelled_load_leaves_an_error_from_which_the_session_recovers(send: Send) -> None:
    job_id = data(send("load_session.valid"), 202)["jobId"]
    data(send("cancel_job.valid", job_id))
    assert data(send("get_session.valid"))["action"] == "load"
    assert data(send("create_upload_url.valid"), 201)["upload"]["method"] == "PUT"
    recovered = data(send("recover_session.valid"), 202)
    assert recovered["session"]["activeJobId"] == recovered["job"]["jobId"]


def test_a_session_is_closed_swept_and_deleted(handle: Handle, send: Send, session: dict[str, Any]) -> None:
    assert data(send("close_session.valid"))["state"] == "CLOSED"
    assert handle("sweep_sessions.scheduled") == {
        "lookedAt": 1,
        "givenUp": 0,
        "removed": 0,
        "thinned": 0,
        "purged": 0,
        "finished": True,
    }
    assert data(send("delete_session.valid")) == {"sessionId": session["sessionId"]}
    assert envelope(send("delete_session.valid"), 404)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("operation", OPERATIONS[2:])
def test_an_unknown_session_is_not_found(handle: Handle, operation: str) -> None:
    assert envelope(handle(f"{operation}.valid"), 404)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_without_the_authorizers_claims_is_unauthenticated(handle: Handle, operation: str) -> None:
    event = load_event(f"{operation}.valid")
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == OWNER
    del event["requestContext"]["authorizer"]
    response = handle(f"{operation}.valid", requestContext=event["requestContext"])
    assert envelope(response, 401)["error"]["code"] == "UNAUTHENTICATED"


def test_cells_are_read_edited_undone_and_redone(send: Send) -> None:
    load(send, "first_attempt", "first_attempt", "first_attempt")
    first = send("get_cells.valid")
    assert data(first)["rows"][1] == ["North", 120.5]
    edited = data(send("edit_cells.valid"))
    assert (edited["version"], edited["by"], edited["undoTo"]) == (2, "user", 1)
    assert data(send("get_cells.valid"))["rows"][1] == ["North", 130]
    assert data(send("undo_change.valid"))["kind"] == "undo"
    assert send("get_cells.valid")["headers"]["etag"] == first["headers"]["etag"]
    assert data(send("redo_change.valid"))["redoTo"] is None
    listed = data(send("list_versions.valid"))["versions"]
    assert [each["kind"] for each in listed] == ["redo", "undo", "change", "load"]


@pytest.mark.parametrize("case", ["export_workbook.first_attempt", "export_workbook.retry"])
def test_an_export_is_a_job_with_a_file_to_download(send: Send, case: str) -> None:
    load(send, "first_attempt", "first_attempt", "first_attempt")
    job_id = data(send("create_export.valid"), 202)["jobId"]
    assert send(case, job_id) == {"jobId": job_id, "stage": "export_workbook", "status": "done"}
    assert send("complete_job.first_attempt", job_id)["status"] == "done"
    result = data(send("get_job.valid", job_id))["result"]
    assert (result["name"], result["losses"]) == ("sales.xlsx", [])
    assert httpx.get(result["downloadUrl"], timeout=PATIENCE).content[:2] == b"PK"


@pytest.mark.parametrize(
    ("prepare", "answer"),
    [
        ("prepare_message.first_attempt", "answer_message.first_attempt"),
        ("prepare_message.retry", "answer_message.first_attempt"),
        ("prepare_message.first_attempt", "answer_message.retry"),
    ],
)
def test_a_message_is_answered_stage_by_stage(send: Send, prepare: str, answer: str) -> None:
    load(send, "first_attempt", "first_attempt", "first_attempt")
    job_id: str = data(send("create_message.valid"), 202)["jobId"]
    for event in (prepare, answer, "complete_job.first_attempt"):
        assert send(event, job_id)["status"] == "done"
    reply, question = data(send("list_messages.valid"))["messages"]
    assert question["text"] == "What is the total of amount by region?"
    assert "North | 220" in reply["text"]
