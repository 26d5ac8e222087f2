"""Every way in which the ideation application and the core use AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

from local.model.tokens import split_tokens
from tests.api_user import data_of, refusal, wait_until
from tests.apps.ideation.requests import RUN, get_run
from tests.permissions.world import JOBS_TABLE, World, key_of, wide

IDEAS = 16
"""The text of this many ideas is too long for one event, so a retry must write it in several."""
MOST = 15

CANCEL_ANY_JOB = ("DeleteIdeationFunctionRole",)
"""The roles that may stop jobs of every pipeline: any job can be linked to a run."""


def use_everything(world: World, agent_id: str) -> None:
    """Run jobs and runs that do not start, are large, fail, are stopped, swept, lost and deleted."""
    _runs_that_do_not_start(world)
    finished = _large_run(world, agent_id)
    _stopped_run(world)
    _failed_run(world)
    _swept_run(world)
    _run_of_a_lost_execution(world)
    _run_whose_job_is_lost(world, agent_id)
    _deleted_runs(world, finished)


def _create(world: World, **fields: Any) -> Any:
    return world.post("/ideations", {**RUN, "ideaCount": IDEAS, "genreProportions": [25, 75], **fields})


def _runs_that_do_not_start(world: World) -> None:
    refusal(_create(world, agentId="agt_01jd8x2v5n7k3q9w4t6y8z0abc"), 422, "VALIDATION_FAILED")
    with world.without_state_machines():
        refusal(world.create("ideation", RUN), 503, "EXECUTION_NOT_STARTED")
        refusal(_create(world), 503, "EXECUTION_NOT_STARTED")


def _output_over_100_kb(count: int) -> str:
    """Return `count` ideas as valid JSON, with all of the second list after all of the first."""
    first, second = min(count, IDEAS // 4), max(0, count - IDEAS // 4)
    drafts = [
        {"title": f"Idea {number}", "logline": wide(390), "description": wide(3900)} for number in range(first + second)
    ]
    return json.dumps({"g1": drafts[:first], "g2": drafts[first:]}, ensure_ascii=False)


def _large_run(world: World, agent_id: str) -> str:
    """Generate and arrange large ideas at the second attempt each, and return the run's id."""
    requirements, output = _requirements(), _output_over_100_kb(MOST)
    world.says(requirements, text=output, error_after=len(split_tokens(output)) - 1)
    world.says(requirements, token_ms=0)
    world.says(requirements, status=429)
    created = data_of(_create(world, requirements=requirements, agentId=agent_id, arrangement="rank"), 202)
    assert world.user.ended(created["jobId"])["status"] == "completed"
    run_id = str(created["runId"])
    assert get_run(world.user, run_id)["status"] == "completed"
    world.get(f"/ideations/{run_id}/lineage")
    assert world.user.api.get(f"/ideations/{run_id}/active-job").status_code in {200, 404}
    world.get("/ideations")
    world.model.clear()
    return run_id


def _running_run(world: World) -> tuple[str, str]:
    """Return the ids of a run and its job whose model stops writing after most of the ideas."""
    requirements, output = _requirements(), _output_over_100_kb(MOST)
    world.says(requirements, text=output, hang_after=len(split_tokens(output)) - 1)
    created = data_of(_create(world, requirements=requirements), 202)
    job_id = str(created["jobId"])
    # The last idea ends in the token that the model does not write.
    wait_until(lambda: len(world.user.job(job_id)["items"]) == MOST - 1)
    world.wait_for_snapshot(job_id)
    return str(created["runId"]), job_id


def _stopped_run(world: World) -> None:
    run_id, job_id = _running_run(world)
    world.get(f"/ideations/{run_id}")
    world.get(f"/ideations/{run_id}/active-job")
    assert world.user.cancel(job_id).status_code == 200
    data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
    world.user.ended(job_id)


def _failed_run(world: World) -> None:
    requirements = _requirements()
    world.says(requirements, text=_output_over_100_kb(MOST))
    world.says(requirements, content_filter=True)
    created = data_of(_create(world, requirements=requirements), 202)
    assert world.user.ended(created["jobId"])["status"] == "failed"


def _swept_run(world: World) -> None:
    _, job_id = _running_run(world)
    arn = world.user.job(job_id)["executionArn"]
    world.date_back(job_id, f"{arn}-never-started")
    assert job_id in world.invoke("sweep_jobs")["ended"]
    _, stopped = _running_run(world)
    world.sweep_stopped(stopped)


def _run_of_a_lost_execution(world: World) -> None:
    _, job_id = _running_run(world)
    world.execution_ended(job_id)


def _run_whose_job_is_lost(world: World, agent_id: str) -> None:
    with world.idle_state_machines():
        created = data_of(_create(world, agentId=agent_id), 202)
    run_id, job_id = str(created["runId"]), str(created["jobId"])
    world.invoke("prepare_ideas", jobId=job_id, generation=1, retry=1)
    world.stack.client("dynamodb").delete_item(TableName=JOBS_TABLE, Key=key_of(job_id))
    assert get_run(world.user, run_id)["status"] == "failed"
    world.user.api.get(f"/ideations/{run_id}/active-job")


def _deleted_runs(world: World, finished: str) -> None:
    running, job_id = _running_run(world)
    for run_id in (finished, running):
        assert world.user.api.delete(f"/ideations/{run_id}").status_code in {200, 204}
    assert world.user.api.get(f"/jobs/{job_id}").status_code == 404


def _requirements() -> str:
    return f"For {uuid.uuid4().hex}"
