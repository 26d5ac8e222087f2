"""GET /jobs returns the user's own jobs, newest first, filtered and in pages."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from tests.api_user import ApiUser, broken_rules, data_of
from tests.apps.suggestions.requests import FIELDS
from tests.apps.video.requests import new_project

BROKEN_CURSORS = [
    "x",
    "!!!",
    "\N{GRINNING FACE}",
    base64.urlsafe_b64encode(b"[]").decode(),
    base64.urlsafe_b64encode(b"[1]").decode(),
    base64.urlsafe_b64encode(b'["a", "b"]').decode(),
    base64.urlsafe_b64encode(b'{"a": 1}').decode(),
    base64.urlsafe_b64encode(b"1").decode(),
    base64.urlsafe_b64encode(b"null").decode(),
    base64.urlsafe_b64encode(b'["not a job id"]').decode(),
    base64.urlsafe_b64encode(b'[""]').decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
]


def test_the_list_contains_only_the_users_own_jobs_newest_first(new_user: Callable[[], ApiUser]) -> None:
    user, other = new_user(), new_user()
    first, _foreign, second = user.new_job(), other.new_job(), user.new_job()

    assert user.jobs() == [second, first]


def test_the_pages_contain_every_job_once(user: ApiUser) -> None:
    made = [user.new_job() for _ in range(5)]

    seen: list[str] = []
    parameters = {"limit": "2"}
    while True:
        page = data_of(user.api.get("/jobs", params=parameters))
        assert len(page["jobs"]) <= 2
        seen += [job["jobId"] for job in page["jobs"]]
        if page["cursor"] is None:
            break
        parameters["cursor"] = page["cursor"]

    assert seen == made[::-1]


def test_the_list_can_be_filtered_by_status_pipeline_and_links(user: ApiUser) -> None:
    plain = user.new_job()
    project = new_project(user)["projectId"]
    body = {"pipeline": "suggestion", "input": FIELDS, "links": {"projectId": project}}
    linked = data_of(user.api.post("/jobs", json=body), 202)["jobId"]
    hanging = user.new_job("hang_after=0")
    for job_id in (plain, linked):
        user.ended(job_id)
    user.cancel(hanging)

    assert user.jobs(status="completed") == [linked, plain]
    assert user.jobs(status="cancelled") == [hanging]
    assert user.jobs(projectId=project) == [linked]
    assert user.jobs(projectId=project, status="cancelled") == []
    assert user.jobs(pipeline="suggestion") == [hanging, linked, plain]
    assert user.jobs(pipeline="video") == []
    assert user.jobs(search=linked[:-1].upper()) == [linked]
    assert user.jobs(search="no such title") == []
    found = data_of(user.api.get("/jobs", params={"search": FIELDS["pageOrComponent"].upper(), "status": "completed"}))
    assert [(job["jobId"], job["title"]) for job in found["jobs"]] == [(linked, FIELDS["pageOrComponent"])]
    assert user.jobs(runId="s-1") == user.jobs(sessionId="s-1") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", "9" * 400),
        ("status", "done"),
        ("status", "COMPLETED"),
        ("pipeline", ""),
        ("sessionId", "x" * 129),
        ("runId", ""),
        ("projectId", "x" * 129),
        ("search", ""),
        ("search", "  "),
        ("search", "x" * 101),
        ("cursor", ""),
        ("cursor", "c" * 513),
    ],
)
def test_a_refusal_names_the_invalid_filter(user: ApiUser, name: str, value: str) -> None:
    response = user.api.get("/jobs", params={name: value})

    assert broken_rules(response).keys() == {name}
    assert response.json()["meta"]["operation"] == "list_jobs"


@pytest.mark.parametrize("cursor", BROKEN_CURSORS)
def test_an_invalid_cursor_is_refused(user: ApiUser, cursor: str) -> None:
    user.new_job()

    found = broken_rules(user.api.get("/jobs", params={"cursor": cursor}))

    assert found == {"cursor": "must be the `cursor` of an earlier page"}


def test_another_users_cursor_shows_only_the_users_own_jobs(new_user: Callable[[], ApiUser]) -> None:
    user, other = new_user(), new_user()
    for each in (user, user, other, other):
        each.new_job()
    theirs = data_of(other.api.get("/jobs", params={"limit": 1}))["cursor"]

    shown = user.jobs(cursor=theirs)

    assert set(shown) <= set(user.jobs())
