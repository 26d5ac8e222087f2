"""Every way in which sheet chat, and the core for its jobs, use AWS."""

from __future__ import annotations

import functools
import json
import uuid
from typing import Any

import httpx

from local.model.tokens import split_tokens
from tests.api_user import data_of, refusal, wait_until
from tests.apps.ideation.requests import RUN
from tests.apps.sheets.chat_permissions import use_chat
from tests.apps.sheets.requests import CSV, active_session, get_session, load, new_session, upload, uploaded_session
from tests.apps.suggestions.requests import FIELDS
from tests.permissions.world import World, wide

IDEAS = 15
"""The text of this many ideas is too long for one event."""
DURABLE_TABLE = "millrace-DurableTable"


CANCEL_ANY_JOB = ("CloseSessionFunctionRole", "DeleteSessionFunctionRole", "SweepSessionsFunctionRole")
"""The roles that cancel the jobs of a session, of whichever pipeline they are."""


def use_everything(world: World, agent_id: str) -> None:
    """Load, lose, recover, close, sweep and delete sessions, and let their jobs fail and not start."""
    _sessions_that_are_created(world)
    _loads_that_fail(world)
    session = active_session(world.user)
    world.get(f"/sessions/{session['sessionId']}/messages")
    world.follow(f"session:{session['sessionId']}")
    _changed_sessions(world)
    _exports_that_do_not_run(world)
    _exports_that_fail(world)
    _recovered_session(world)
    _closed_session(world)
    _swept_sessions(world)
    use_chat(world, agent_id)
    _deleted_sessions(world, session["sessionId"])


def _sessions_that_are_created(world: World) -> None:
    body = {"file": {"name": "sales.csv", "bytes": len(CSV)}}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = (data_of(world.user.api.post("/sessions", json=body, headers=headers), 201) for _ in range(2))
    assert first["sessionId"] == second["sessionId"]
    target = data_of(world.user.api.post(f"/sessions/{first['sessionId']}/upload-urls", json=body), 201)
    assert upload(target).status_code == 200
    world.get("/sessions")
    get_session(world.user, first["sessionId"])


def _loads_that_fail(world: World) -> None:
    unloaded = new_session(world.user)
    refusal(world.user.api.post(f"/sessions/{unloaded['sessionId']}/load"), 409, "CONFLICT")
    broken = uploaded_session(world.user, b"%PDF-1.7 nothing")
    assert world.user.ended(load(world.user, broken["sessionId"]))["failure"]["code"] == "UNSUPPORTED_FILE"
    _files_that_are_gone(world)
    lost = uploaded_session(world.user)
    with world.without_state_machines():
        refusal(world.post(f"/sessions/{lost['sessionId']}/load", {}), 503, "EXECUTION_NOT_STARTED")
        refusal(world.post(f"/sessions/{lost['sessionId']}/recover", {}), 503, "EXECUTION_NOT_STARTED")
    with world.idle_state_machines():
        job_id = load(world.user, lost["sessionId"])
        assert world.user.cancel(job_id).status_code == 200
        data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
        assert world.user.cancel(job_id).status_code == 200
        world.execution_ended(load(world.user, lost["sessionId"]))
    assert get_session(world.user, lost["sessionId"])["state"] == "ERROR"


def _files_that_are_gone(world: World) -> None:
    """Load a file that was never uploaded, and one that is gone when the stage after its inspection reads it."""
    never = new_session(world.user)["sessionId"]
    body = {"pipeline": "sheet_load", "input": {}, "links": {"sessionId": never}}
    job_id = data_of(world.post("/jobs", body), 202)["jobId"]
    assert world.user.ended(job_id)["failure"]["code"] == "UNSUPPORTED_FILE"
    session_id = uploaded_session(world.user)["sessionId"]
    with world.idle_state_machines():
        job_id = load(world.user, session_id)
        world.invoke("inspect_workbook", jobId=job_id, generation=1, retry=1)
        _remove_objects(world, f"sheets/{session_id}/source")
        for retry in range(2):
            payload = json.dumps({"jobId": job_id, "generation": 1, "retry": retry}).encode()
            answer = world.stack.client("lambda").invoke(FunctionName="millrace-load_workbook", Payload=payload)
            assert "DataLost" in answer["Payload"].read().decode()
        world.sweep_stopped(job_id)


def _changed_sessions(world: World) -> None:
    """Read, edit, undo, redo and export workbooks, also ones whose data is gone."""
    path = f"/sessions/{active_session(world.user)['sessionId']}"
    _edited_cells(world, path)
    world.get(f"{path}/versions")
    for export in ({"format": "xlsx"}, {"format": "csv", "version": 2}):
        job_id = data_of(world.post(f"{path}/exports", export), 202)["jobId"]
        assert world.user.ended(job_id)["status"] == "completed"
    with world.without_state_machines():
        refusal(world.post(f"{path}/exports", {}), 503, "EXECUTION_NOT_STARTED")
    for request in (_read, _edit_cells, _undo, _redo, _request_export):
        session_id = active_session(world.user)["sessionId"]
        _edit_cells(world, f"/sessions/{session_id}")
        if request is _redo:
            _undo(world, f"/sessions/{session_id}")
        for folder in ("maps", "models", "blocks"):
            _remove_objects(world, f"sheets/{session_id}/{folder}/")
        response = request(world, f"/sessions/{session_id}")
        assert response.status_code == 409, response.text


def _exports_that_do_not_run(world: World) -> None:
    """Let exports be cancelled, resumed and lost, and let their sessions be closed, swept and deleted meanwhile."""
    ended, closed, swept, deleted = (active_session(world.user)["sessionId"] for _ in range(4))
    with world.idle_state_machines():
        job_id = _export(world, ended)
        assert world.user.cancel(job_id).status_code == 200
        data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
        assert world.user.cancel(job_id).status_code == 200
        world.execution_ended(_export(world, ended))
        for session_id in (closed, swept, deleted):
            _export(world, session_id)
        data_of(world.user.api.post(f"/sessions/{closed}/close"))
        data_of(world.user.api.delete(f"/sessions/{deleted}"))
        _edit(world, swept, state="CLOSED", closed_at=LONG_AGO)
        _make_due(world, swept)
        world.invoke("sweep_sessions")


def _exports_that_fail(world: World) -> None:
    """Let an export fail for its sheet, and another one for data that is gone, which the sweep then ends."""
    session_id = active_session(world.user)["sessionId"]
    body = {"pipeline": "sheet_export", "input": {"format": "csv", "sheet": "none"}, "links": {"sessionId": session_id}}
    job_id = data_of(world.post("/jobs", body), 202)["jobId"]
    assert world.user.ended(job_id)["status"] == "failed"
    with world.idle_state_machines():
        job_id = _export(world, session_id)
        _remove_objects(world, f"sheets/{session_id}/")
        for retry in range(2):
            payload = json.dumps({"jobId": job_id, "generation": 1, "retry": retry}).encode()
            answer = world.stack.client("lambda").invoke(FunctionName="millrace-export_workbook", Payload=payload)
            assert "DataLost" in answer["Payload"].read().decode()
        world.sweep_stopped(job_id)


def _export(world: World, session_id: str) -> str:
    """Start an export as a client of `POST /jobs` does, and return its job's id."""
    body = {"pipeline": "sheet_export", "input": {}, "links": {"sessionId": session_id}}
    job_id: str = data_of(world.post("/jobs", body), 202)["jobId"]
    return job_id


def _edited_cells(world: World, path: str) -> None:
    assert _read(world, path).status_code == 200
    data_of(_edit_cells(world, path))
    data_of(_undo(world, path))
    data_of(world.user.api.post(f"{path}/redo"))
    assert (
        world.user.api.get(f"{path}/cells", params={"sheet": "Sheet1", "range": "A1", "version": 1}).status_code == 200
    )


def _read(world: World, path: str) -> httpx.Response:
    return world.user.api.get(f"{path}/cells", params={"sheet": "Sheet1", "range": "A1:B4"})


def _edit_cells(world: World, path: str) -> httpx.Response:
    cells = [{"at": "B2", "value": str(uuid.uuid4())}]
    return world.user.api.patch(f"{path}/cells", json={"sheet": "Sheet1", "cells": cells})


def _undo(world: World, path: str) -> httpx.Response:
    return world.user.api.post(f"{path}/undo")


def _redo(world: World, path: str) -> httpx.Response:
    return world.user.api.post(f"{path}/redo")


def _request_export(world: World, path: str) -> httpx.Response:
    return world.user.api.post(f"{path}/exports", json={"format": "csv"})


def _recovered_session(world: World) -> None:
    """Let a session lose its newest data, and recover it: from its version, and from its file with its changes."""
    session_id = active_session(world.user)["sessionId"]
    _move_to_error(world, session_id)
    assert data_of(world.user.api.post(f"/sessions/{session_id}/recover"))["job"] is None
    _move_to_error(world, session_id, code="DATA_UNREADABLE")
    job = data_of(world.user.api.post(f"/sessions/{session_id}/recover"), 202)["job"]
    assert world.user.ended(job["jobId"])["status"] == "completed"
    _move_to_error(world, session_id)
    _remove_objects(world, f"sheets/{session_id}/models/")
    job = data_of(world.user.api.post(f"/sessions/{session_id}/recover"), 202)["job"]
    assert world.user.ended(job["jobId"])["status"] == "completed"


def _closed_session(world: World) -> None:
    session_id = uploaded_session(world.user)["sessionId"]
    linked_jobs(world, {"sessionId": session_id})
    with world.idle_state_machines():
        load(world.user, session_id)
        assert data_of(world.user.api.post(f"/sessions/{session_id}/close"))["state"] == "CLOSED"


def linked_jobs(world: World, links: dict[str, str]) -> None:
    """Start a linked job of each other application, one with a log in the bucket, and wait until they run."""
    for pipeline, job_input, field in (
        ("ideation", {**RUN, "ideaCount": 16, "genreProportions": [25, 75]}, "requirements"),
        ("suggestion", FIELDS, "additionalContext"),
    ):
        text = f"For {uuid.uuid4().hex}"
        output = _output_over_100_kb()
        world.says(text, text=output, hang_after=len(split_tokens(output)) - 1)
        body = {"pipeline": pipeline, "input": {**job_input, field: text}, "links": links}
        job_id = data_of(world.post("/jobs", body), 202)["jobId"]
        world.wait_for_start(job_id)
        if pipeline == "ideation":
            # The last idea ends in the token that the model does not write.
            wait_until(functools.partial(_has_its_items, world, job_id))
            world.wait_for_snapshot(job_id)


def _has_its_items(world: World, job_id: str) -> bool:
    return len(world.user.job(job_id)["items"]) == IDEAS - 1


def _output_over_100_kb() -> str:
    """Return ideas as valid JSON."""
    drafts = [{"title": f"Idea {n}", "logline": wide(390), "description": wide(3900)} for n in range(IDEAS)]
    return json.dumps({"g1": drafts[:4], "g2": drafts[4:]}, ensure_ascii=False)


def _swept_sessions(world: World) -> None:
    """Let the sweep find a session that was never loaded, one with old data, one to clean and one to remove."""
    never = new_session(world.user)["sessionId"]
    active, gone, asked = (active_session(world.user)["sessionId"] for _ in range(3))
    _remove_objects(world, f"sheets/{gone}/maps/")
    closed = uploaded_session(world.user)["sessionId"]
    linked_jobs(world, {"sessionId": closed})
    with world.idle_state_machines():
        job_id = load(world.user, closed)
        _leave_a_text(world, job_id)
        _edit(world, closed, state="CLOSED", closed_at=LONG_AGO)
        data_of(world.post(f"/sessions/{asked}/messages", {"text": "read A1"}), 202)
        _edit(world, asked, state="CLOSED", closed_at=LONG_AGO)
        for session_id in (never, active, gone, closed, asked):
            _make_due(world, session_id)
        report = world.invoke("sweep_sessions")
    assert report["givenUp"] >= 1
    assert report["removed"] >= 1
    assert world.user.api.get(f"/jobs/{job_id}").status_code == 404


def _deleted_sessions(world: World, finished: str) -> None:
    loading = uploaded_session(world.user)["sessionId"]
    linked_jobs(world, {"sessionId": loading})
    with world.idle_state_machines():
        _leave_a_text(world, load(world.user, loading))
        for session_id in (finished, loading):
            data_of(world.user.api.delete(f"/sessions/{session_id}"))


LONG_AGO = "2026-01-01T00:00:00Z"


def _move_to_error(world: World, session_id: str, *, code: str = "DATA_GONE") -> None:
    problem = {"code": code, "message": "gone", "retryable": False, "action": "recover", "at": LONG_AGO}
    _edit(world, session_id, state="ERROR", errors=[problem])


def _edit(world: World, session_id: str, **fields: Any) -> None:
    """Change fields of the stored session, as no request can."""
    database, key = world.stack.client("dynamodb"), _key(session_id)
    item = database.get_item(TableName=DURABLE_TABLE, Key=key, ConsistentRead=True)["Item"]
    body = {**json.loads(item["body"]["S"]), **{_camel(name): value for name, value in fields.items()}}
    item["body"]["S"], item["state"] = json.dumps(body), {"S": body["state"]}
    database.put_item(TableName=DURABLE_TABLE, Item=item)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def _make_due(world: World, session_id: str) -> None:
    world.stack.client("dynamodb").update_item(
        TableName=DURABLE_TABLE,
        Key=_key(session_id),
        UpdateExpression="SET sweep = :sweep, sweepAt = :then",
        ExpressionAttributeValues={":sweep": {"S": "sessions"}, ":then": {"S": LONG_AGO}},
    )


def _leave_a_text(world: World, job_id: str) -> None:
    """Store a text of the job in the bucket, as an attempt does whose process dies before it names the text."""
    bucket = world.stack.client("s3")
    name = bucket.list_buckets()["Buckets"][0]["Name"]
    bucket.put_object(Bucket=name, Key=f"jobs/{job_id}/checkpoint-left", Body=b"text")


def _remove_objects(world: World, prefix: str) -> None:
    bucket = world.stack.client("s3")
    name = bucket.list_buckets()["Buckets"][0]["Name"]
    for found in bucket.list_objects_v2(Bucket=name, Prefix=prefix).get("Contents", ()):
        bucket.delete_object(Bucket=name, Key=found["Key"])


def _key(session_id: str) -> dict[str, Any]:
    return {"PK": {"S": f"SESSION#{session_id}"}, "SK": {"S": "SESSION"}}
