"""GET /ideations/{runId}/active-job: the job that a reloaded page watches again."""

from __future__ import annotations

from tests.api_user import ApiUser, Event, data_of, wait_until
from tests.apps.ideation.requests import finished_run, new_run


def test_a_running_run_has_an_active_transform_and_a_job_to_watch(user: ApiUser) -> None:
    created = new_run(user, "token_ms=0, first_token_ms=0, pause_after=200")
    wait_until(lambda: user.job(created["jobId"])["items"])

    active = data_of(user.api.get(f"/ideations/{created['runId']}/active-job"))

    assert active["transform"]["status"] == "running"
    assert active["transform"]["jobId"] == active["job"]["jobId"] == created["jobId"]
    user.release(created["jobId"])
    seen = [item["key"] for item in active["job"]["items"]]
    rest = user.watch(created["jobId"], after=active["job"]["lastEventId"])
    assert [*seen, *keys(rest)] == [f"idea-{number}" for number in range(1, 11)]
    assert rest[-1].type == "complete"


def test_a_completed_run_has_no_active_job(user: ApiUser) -> None:
    run = finished_run(user)
    assert data_of(user.api.get(f"/ideations/{run['runId']}/active-job")) == {"transform": None, "job": None}


def keys(events: list[Event]) -> list[str]:
    return [event.data["key"] for event in events if event.type == "item"]
