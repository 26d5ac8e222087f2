"""GET /ideations/{runId}: the run during its job, and from its artefacts afterwards."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from local.model.control import ModelControl
from tests.api_user import ApiUser, refusal, wait_until
from tests.apps.ideation.requests import RUN, finished_run, get_run, new_run


def test_a_completed_run_is_returned_with_all_its_fields(user: ApiUser) -> None:
    run = finished_run(user, arrangement="rank")

    assert run["status"] == run["transform"]["status"] == "completed"
    assert run["title"] == "mobile game: Puzzle, Fiction › Mystery › Cozy"
    assert {name: run["parameters"][name] for name in RUN} == RUN
    assert run["parameters"]["requestedAt"] == run["createdAt"]
    assert [idea["number"] for idea in run["ideas"]] == list(range(1, 11))
    assert Counter(tuple(idea["genrePath"]) for idea in run["ideas"]) == {
        ("Puzzle",): 3,
        ("Fiction", "Mystery", "Cozy"): 7,
    }
    assert [(share["planned"], share["found"]) for share in run["genres"]] == [(3, 3), (7, 7)]
    assert sorted(each["number"] for each in run["ranking"]) == list(range(1, 11))
    assert run["groups"] is None
    assert (run["transform"]["retryCount"], run["transform"]["maxRetries"]) == (0, 2)
    assert run["transform"]["model"] == "scripted-1"


def test_a_run_with_groups_has_every_idea_in_one_group(user: ApiUser) -> None:
    run = finished_run(user, arrangement="group")
    assert sorted(number for group in run["groups"] for number in group["numbers"]) == list(range(1, 11))
    assert run["ranking"] is None


def test_a_running_run_has_the_ideas_written_so_far(user: ApiUser) -> None:
    created = new_run(user, "token_ms=2, hang_after=200")

    run = wait_until(lambda: (found := get_run(user, created["runId"]))["ideas"] and found)

    assert run["status"] == "running"
    assert sum(share["found"] for share in run["genres"]) == len(run["ideas"])
    user.cancel(created["jobId"])


def test_a_run_keeps_its_ideas_after_its_job_has_expired(user: ApiUser) -> None:
    created = new_run(user)
    result = user.ended(created["jobId"])["result"]
    user.stack.expire(created["jobId"])

    run = get_run(user, created["runId"])

    assert run["status"] == "completed"
    assert run["ideas"] == result["ideas"]


def test_a_cancelled_run_keeps_its_ideas(user: ApiUser) -> None:
    created = new_run(user, "token_ms=1, hang_after=250")
    so_far = wait_until(lambda: get_run(user, created["runId"])["ideas"])
    user.cancel(created["jobId"])

    run = get_run(user, created["runId"])

    assert run["status"] == "cancelled"
    assert run["ideas"][: len(so_far)] == so_far


def test_a_failed_run_has_the_reason_and_is_completed_after_a_resumption(user: ApiUser, model: ModelControl) -> None:
    requirements = f"For {uuid.uuid4().hex}"
    model.script(match=requirements, times=1, refusal=True)
    model.script(match=requirements, times=1, pause_after=0)
    created = new_run(user, requirements=requirements, ideaCount=2)
    failed = user.ended(created["jobId"])
    run = get_run(user, created["runId"])
    assert run["status"] == "failed"
    assert run["transform"]["failure"]["code"] == failed["failure"]["code"] == "MODEL_REFUSED"

    user.api.post(f"/jobs/{created['jobId']}/resume")
    assert get_run(user, created["runId"])["status"] == "running"
    user.release(created["jobId"])
    user.ended(created["jobId"])
    run = get_run(user, created["runId"])
    assert run["status"] == "completed"
    assert len(run["ideas"]) == 2
    assert run["transform"]["failure"] is None


@pytest.mark.parametrize(
    "run_id", ["run_01jd8x2v5n7k3q9w4t6y8z0abc", "job_01jd8x2v5n7k3q9w4t6y8z0abc", "nonsense", "%00"]
)
def test_an_unknown_run_is_not_found(user: ApiUser, run_id: str) -> None:
    refusal(user.api.get(f"/ideations/{run_id}"), 404, "NOT_FOUND")


def test_another_owners_run_is_forbidden(new_user: Callable[[], ApiUser]) -> None:
    run = new_run(new_user())
    other = new_user()
    for path in ("", "/active-job", "/lineage"):
        refusal(other.api.get(f"/ideations/{run['runId']}{path}"), 403, "FORBIDDEN")
    refusal(other.api.delete(f"/ideations/{run['runId']}"), 403, "FORBIDDEN")
