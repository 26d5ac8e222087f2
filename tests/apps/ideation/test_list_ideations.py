"""GET /ideations: the owner's runs, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api_user import ApiUser, broken_rules, data_of
from tests.apps.ideation.requests import finished_run, new_run


def runs(user: ApiUser, **parameters: Any) -> dict[str, Any]:
    return data_of(user.api.get("/ideations", params=parameters))


def test_an_owners_runs_are_listed_newest_first_in_pages(new_user: Callable[[], ApiUser]) -> None:
    user, other = new_user(), new_user()
    mine = [new_run(user, ideaCount=1)["runId"] for _ in range(3)]
    new_run(other, ideaCount=1)
    user.new_job()

    first = runs(user, limit=2)
    second = runs(user, limit=2, cursor=first["cursor"])

    assert [run["runId"] for page in (first, second) for run in page["runs"]] == mine[::-1]
    assert second["cursor"] is None
    assert first["runs"][0].keys() == {"runId", "title", "status", "createdAt", "updatedAt", "runUrl"}


def test_the_list_of_jobs_contains_no_runs(user: ApiUser) -> None:
    job_id = user.new_job()
    run = new_run(user, ideaCount=1)
    assert user.jobs() == [run["jobId"], job_id]
    assert user.jobs(runId=run["runId"]) == [run["jobId"]]


def test_runs_are_filtered_by_status(user: ApiUser) -> None:
    done = finished_run(user, ideaCount=1)["runId"]
    hanging = new_run(user, "hang_after=0", ideaCount=1)
    assert [run["runId"] for run in runs(user, status="completed")["runs"]] == [done]
    assert [run["runId"] for run in runs(user, status="running")["runs"]] == [hanging["runId"]]
    user.cancel(hanging["jobId"])


def test_an_invalid_cursor_or_status_is_refused(user: ApiUser) -> None:
    assert broken_rules(user.api.get("/ideations", params={"cursor": "nonsense"})).keys() == {"cursor"}
    assert broken_rules(user.api.get("/ideations", params={"status": "nonsense"})).keys() == {"status"}
