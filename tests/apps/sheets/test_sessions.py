"""Sessions over HTTP: created, uploaded, loaded, read, recovered, closed and deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.apps.sheets.engine import limits
from shared.apps.sheets.models import MOST_FILE_BYTES
from tests.api_user import OTHER_ORIGIN, ApiUser, broken_rules, data_of, refusal, wait_until
from tests.apps.sheets.requests import (
    CSV,
    active_session,
    get_session,
    load,
    new_session,
    upload,
    uploaded_session,
)
from tests.apps.suggestions.requests import FIELDS

UNKNOWN = "ses_01jd8x2v5n7k3q9w4t6y8z0abc"
FILE = {"name": "sales.csv", "bytes": len(CSV)}


def test_an_uploaded_workbook_is_loaded(user: ApiUser) -> None:
    created = new_session(user, title="Sales of 2026")
    assert (created["state"], created["action"], created["version"], created["lastEventId"]) == (
        "INITIALIZING",
        "upload",
        0,
        1,
    )
    assert upload(created).status_code == 200
    job = user.ended(load(user, created["sessionId"]))
    session = get_session(user, created["sessionId"])
    assert (session["state"], session["action"], session["version"]) == ("ACTIVE", None, 1)
    assert (session["title"], session["file"]["format"], session["activeJobId"]) == ("Sales of 2026", "csv", None)
    [sheet] = session["sheets"]
    assert (sheet["rows"], sheet["columns"]) == (4, 2)
    [first] = job["result"]["firstBlocks"]
    assert first["rows"][0] == ["region", "amount"]
    assert {each["key"]: each["status"] for each in job["subtasks"]} == dict.fromkeys(
        ("inspect", "compute", "store"), "finished"
    )


def test_post_jobs_loads_a_session_as_well(user: ApiUser) -> None:
    session_id = uploaded_session(user)["sessionId"]
    body = {"pipeline": "sheet_load", "input": {}, "links": {"sessionId": session_id}}
    job_id = data_of(user.api.post("/jobs", json=body), 202)["jobId"]
    assert user.ended(job_id)["status"] == "completed"
    assert get_session(user, session_id)["state"] == "ACTIVE"
    assert user.jobs(sessionId=session_id) == [job_id]


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ({}, {"file": "is required"}),
        ({"file": {"name": "a.csv"}}, {"file.bytes": "is required"}),
        ({"file": {**FILE, "bytes": 0}}, {"file.bytes": "must be greater than or equal to 1"}),
        ({"file": {**FILE, "bytes": 50_000_001}}, {"file.bytes": "must be less than or equal to 50000000"}),
        ({"file": {**FILE, "bytes": "46"}}, {"file.bytes": "must be a valid integer"}),
        ({"file": {**FILE, "bytes": 1.5}}, {"file.bytes": "must be a valid integer"}),
        ({"file": {**FILE, "name": ""}}, {"file.name": "must have at least 1 character"}),
        ({"file": {**FILE, "name": "x" * 256}}, {"file.name": "must have at most 255 characters"}),
        ({"file": {**FILE, "name": "a/b.csv"}}, {"file.name": "must be a file's name without its path"}),
        ({"file": {**FILE, "name": "a\x00.csv"}}, {"file.name": "must have no control characters"}),
        ({"file": {**FILE, "contentType": "text"}}, {"file.contentType": "must be a media type"}),
        ({"file": {**FILE, "contentType": "text/csv\r\nx: y"}}, {"file.contentType": "must be a media type"}),
        ({"file": {**FILE, "content_type": "text/csv"}}, {"file.content_type": "is not a known field"}),
        ({"file": FILE, "title": " "}, {"title": "must have at least 1 character"}),
        ({"file": FILE, "title": "x" * 201}, {"title": "must have at most 200 characters"}),
        ({"file": FILE, "owner": "bob"}, {"owner": "is not a known field"}),
    ],
)
def test_a_session_is_refused_with_the_field_and_its_rule(
    user: ApiUser, body: dict[str, Any], rules: dict[str, str]
) -> None:
    found = broken_rules(user.api.post("/sessions", json=body))
    assert found.keys() == rules.keys()
    assert all(found[field].startswith(rule) for field, rule in rules.items()), found


def test_the_largest_file_is_the_largest_that_the_engine_takes() -> None:
    assert MOST_FILE_BYTES == limits.MOST_BYTES


def test_a_repeat_with_the_same_key_returns_the_same_session(user: ApiUser) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = (data_of(user.api.post("/sessions", json={"file": FILE}, headers=headers), 201) for _ in range(2))
    assert first["sessionId"] == second["sessionId"]
    refusal(
        user.api.post("/sessions", json={"file": FILE, "title": "x"}, headers=headers), 422, "IDEMPOTENCY_KEY_REUSED"
    )
    job = {"pipeline": "suggestion", "input": FIELDS}
    refusal(user.api.post("/jobs", json=job, headers=headers), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7 not a workbook", "PDF"),
        (b"PK\x03\x04 cut off", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "password"),
    ],
)
def test_a_file_that_is_no_workbook_is_refused_with_what_to_do(user: ApiUser, content: bytes, says: str) -> None:
    session_id = uploaded_session(user, content)["sessionId"]
    job = user.ended(load(user, session_id))
    assert (job["status"], job["failure"]["code"], job["failure"]["retryable"]) == ("failed", "UNSUPPORTED_FILE", False)
    session = get_session(user, session_id)
    assert (session["state"], session["action"], session["errors"][0]["jobId"]) == ("ERROR", "upload", job["jobId"])
    assert session["errors"][0]["message"] == job["failure"]["message"]
    assert says in job["failure"]["message"]


def test_another_file_helps_after_one_that_was_refused(user: ApiUser) -> None:
    session_id = uploaded_session(user, b"%PDF-1.7")["sessionId"]
    user.ended(load(user, session_id))
    target = data_of(user.api.post(f"/sessions/{session_id}/upload-urls", json={"file": FILE}), 201)
    assert upload(target).status_code == 200
    assert user.ended(load(user, session_id))["status"] == "completed"
    assert get_session(user, session_id)["state"] == "ACTIVE"


def test_a_file_that_is_not_uploaded_is_not_loaded(user: ApiUser) -> None:
    session_id = new_session(user)["sessionId"]
    error = refusal(user.api.post(f"/sessions/{session_id}/load"), 409, "CONFLICT")
    assert error["message"].startswith("the file is not uploaded")
    bucket = user.stack.client("s3")
    name = bucket.list_buckets()["Buckets"][0]["Name"]
    bucket.put_object(Bucket=name, Key=f"sheets/{session_id}/source", Body=CSV + b"more")
    error = refusal(user.api.post(f"/sessions/{session_id}/load"), 409, "CONFLICT")
    assert error["message"].startswith("the uploaded file has 50 bytes, but 46 were announced")


def test_a_request_that_the_state_does_not_allow_says_which_states_do(user: ApiUser) -> None:
    session_id = active_session(user)["sessionId"]
    for path in ("load", "upload-urls"):
        error = refusal(user.api.post(f"/sessions/{session_id}/{path}"), 409, "CONFLICT")
        assert (error["details"]["state"], error["details"]["allowed"]) == ("ACTIVE", ["INITIALIZING", "ERROR"])
    error = refusal(user.api.post(f"/sessions/{session_id}/recover"), 409, "CONFLICT")
    assert error["details"]["allowed"] == ["ERROR"]


def test_a_session_that_has_not_changed_is_not_sent_again(user: ApiUser) -> None:
    session_id = new_session(user)["sessionId"]
    first = user.api.get(f"/sessions/{session_id}")
    assert (first.headers["etag"], first.headers["cache-control"]) == ('"s1"', "private, no-cache")
    for etag in ('"s1"', 'W/"s1"', '"s7", "s1"', "*"):
        again = user.api.get(f"/sessions/{session_id}", headers={"If-None-Match": etag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"s1"')
    data_of(user.api.post(f"/sessions/{session_id}/close"))
    changed = user.api.get(f"/sessions/{session_id}", headers={"If-None-Match": '"s1"'})
    assert (data_of(changed)["state"], changed.headers["etag"]) == ("CLOSED", '"s2"')


def test_sessions_are_listed_newest_first_and_by_state(user: ApiUser) -> None:
    ids = [new_session(user)["sessionId"] for _ in range(3)]
    data_of(user.api.post(f"/sessions/{ids[1]}/close"))

    def listed(**parameters: Any) -> tuple[list[str], str | None]:
        page = data_of(user.api.get("/sessions", params=parameters))
        return [each["sessionId"] for each in page["sessions"]], page["cursor"]

    assert listed() == (sorted(ids, reverse=True), None)
    assert listed(state="CLOSED") == ([ids[1]], None)
    first, cursor = listed(limit=2)
    assert listed(limit=2, cursor=cursor) == ([each for each in sorted(ids) if each not in first], None)
    assert "state" in broken_rules(user.api.get("/sessions", params={"state": "OPEN"}))
    assert broken_rules(user.api.get("/sessions", params={"cursor": "x"})) == {
        "cursor": "must be the `cursor` of an earlier page"
    }


def test_a_closed_session_takes_no_jobs_and_its_load_is_cancelled(user: ApiUser) -> None:
    session_id = uploaded_session(user)["sessionId"]
    with user.stack.holding(function="InspectWorkbookFunction", executed=False) as held:
        job_id = load(user, session_id)
        wait_until(held)
        assert data_of(user.api.post(f"/sessions/{session_id}/close"))["activeJobId"] is None
        assert user.job(job_id)["status"] == "cancelled"
    session = get_session(user, session_id)
    assert (session["state"], session["version"]) == ("CLOSED", 0)
    for body in (
        {"pipeline": "sheet_load", "input": {}, "links": {"sessionId": session_id}},
        {"pipeline": "suggestion", "input": FIELDS, "links": {"sessionId": session_id}},
    ):
        assert refusal(user.api.post("/jobs", json=body), 409, "CONFLICT")["details"]["state"] == "CLOSED"
    refusal(user.api.post(f"/jobs/{job_id}/resume"), 409, "CONFLICT")
    data_of(user.api.post(f"/sessions/{session_id}/close"))


def test_a_deleted_session_is_gone_with_its_file_and_jobs(user: ApiUser) -> None:
    session_id = active_session(user)["sessionId"]
    [job_id] = user.jobs(sessionId=session_id)
    assert data_of(user.api.delete(f"/sessions/{session_id}")) == {"sessionId": session_id}
    refusal(user.api.get(f"/sessions/{session_id}"), 404, "NOT_FOUND")
    refusal(user.api.delete(f"/sessions/{session_id}"), 404, "NOT_FOUND")
    refusal(user.api.get(f"/jobs/{job_id}"), 404, "NOT_FOUND")
    bucket = user.stack.client("s3")
    name = bucket.list_buckets()["Buckets"][0]["Name"]
    assert "Contents" not in bucket.list_objects_v2(Bucket=name, Prefix=f"sheets/{session_id}/")


PATHS = [
    ("GET", ""),
    ("POST", "/upload-urls"),
    ("POST", "/load"),
    ("POST", "/recover"),
    ("POST", "/close"),
    ("DELETE", ""),
    ("GET", "/messages"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_another_users_session_is_forbidden_and_an_unknown_one_not_found(
    new_user: Callable[[], ApiUser], method: str, path: str
) -> None:
    ada, bob = new_user(), new_user()
    session_id = new_session(ada)["sessionId"]
    refusal(bob.api.request(method, f"/sessions/{session_id}{path}"), 403, "FORBIDDEN")
    for unknown in (UNKNOWN, "nonsense", "%F0%9F%98%80"):
        refusal(bob.api.request(method, f"/sessions/{unknown}{path}"), 404, "NOT_FOUND")
    assert get_session(ada, session_id)["state"] == "INITIALIZING"


def test_a_job_cannot_be_linked_to_another_users_session(new_user: Callable[[], ApiUser]) -> None:
    ada, bob = new_user(), new_user()
    session_id = new_session(ada)["sessionId"]
    for pipeline, job_input in (("sheet_load", {}), ("suggestion", FIELDS)):
        for link in (session_id, UNKNOWN, "s-1"):
            body = {"pipeline": pipeline, "input": job_input, "links": {"sessionId": link}}
            assert broken_rules(bob.api.post("/jobs", json=body)).keys() == {"links.sessionId"}


def test_a_page_of_another_origin_may_send_the_file_and_read_etags(user: ApiUser) -> None:
    session = new_session(user)
    asked = {"Origin": OTHER_ORIGIN, "Access-Control-Request-Method": "PUT"}
    preflight = httpx.options(
        session["upload"]["url"], headers={**asked, "Access-Control-Request-Headers": "content-type"}
    )
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, OTHER_ORIGIN)
    path = f"/sessions/{session['sessionId']}"
    asked = {"Origin": OTHER_ORIGIN, "Access-Control-Request-Method": "GET"}
    allowed = user.api.options(path, headers={**asked, "Access-Control-Request-Headers": "if-none-match"})
    assert "if-none-match" in allowed.headers["access-control-allow-headers"]
    shown = user.api.get(path, headers={"Origin": OTHER_ORIGIN})
    assert "etag" in shown.headers["access-control-expose-headers"].lower()
