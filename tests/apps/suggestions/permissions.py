"""Every way in which the suggestions pipeline and the core use AWS."""

from __future__ import annotations

import json
import uuid

import httpx

from local.model.tokens import split_tokens
from tests.api_user import data_of, refusal
from tests.apps.suggestions.requests import FIELDS
from tests.patience import PATIENCE
from tests.permissions.world import World, wide


def use_everything(world: World, agent_id: str) -> None:
    """Run jobs that do not start, that are large and repaired, that fail and that are stopped."""
    _jobs_that_do_not_start(world)
    _large_job(world, agent_id)
    _stopped_jobs(world)


def _jobs_that_do_not_start(world: World) -> None:
    refused = world.create("suggestion", {**FIELDS, "agentId": "agt_01jd8x2v5n7k3q9w4t6y8z0abc"})
    refusal(refused, 422, "VALIDATION_FAILED")
    with world.without_state_machines():
        refusal(world.create("suggestion", FIELDS), 503, "EXECUTION_NOT_STARTED")


def _output_over_100_kb() -> str:
    suggestion = {"rationale": wide(3900), "description": wide(3900), "implementationConsiderations": [wide(3900)]}
    found = [{"title": f"Suggestion {number}", **suggestion} for number in range(8)]
    return json.dumps({"suggestions": found}, ensure_ascii=False)


def _large_job(world: World, agent_id: str) -> None:
    """Generate a large output at the second attempt, repair it, and read it in every way."""
    page, output = f"Page {uuid.uuid4().hex}", _output_over_100_kb()
    # Slow enough that the log is compacted before the end.
    world.says(page, text=output, error_after=len(split_tokens(output)) - 1, token_ms=5)
    world.says(page, text=output.replace('"title"', '"heading"'))
    world.says("does not fit the schema", text=output, token_ms=5)
    fields = {**FIELDS, "pageOrComponent": page, "agentId": agent_id}
    job_id = data_of(world.create("suggestion", fields), 202)["jobId"]
    assert world.user.watch(job_id)[-1].type == "complete"
    ticket = data_of(world.user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)["ticket"]
    watched = httpx.get(f"{world.stack.stream_url}/jobs/{job_id}/stream", params={"ticket": ticket}, timeout=PATIENCE)
    assert "event: complete" in watched.text
    assert world.user.job(job_id)["result"]
    assert job_id in world.user.jobs()
    world.invoke("complete_job", jobId=job_id, generation=1, retry=1)


def _stopped_jobs(world: World) -> None:
    refused = world.user.new_job("content_filter")
    assert world.user.ended(refused)["status"] == "failed"
    waiting = world.user.new_job("hang_after=0")
    world.wait_for_start(waiting)
    assert world.user.cancel(waiting).status_code == 200
    lost = world.user.new_job("hang_after=0")
    world.wait_for_start(lost)
    world.execution_ended(lost)
    data_of(world.user.api.post(f"/jobs/{waiting}/resume"), 202)
    world.wait_for_start(waiting)
    world.date_back(waiting, world.user.job(waiting)["executionArn"])
    assert waiting not in world.invoke("sweep_jobs")["ended"]
    world.sweep_stopped(waiting)
