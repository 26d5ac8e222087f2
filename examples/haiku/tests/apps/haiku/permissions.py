"""Every way in which the haiku pipeline and the core, for its jobs, use AWS."""

from __future__ import annotations

import uuid
from typing import Any

from local.model.tokens import split_tokens
from tests.api_user import data_of
from tests.permissions.world import World, wide


def use_everything(world: World, agent_id: str) -> None:
    """Run a job with a large output, one that fails, and one that is cancelled, resumed and swept."""
    _large_job(world, agent_id)
    _failed_job(world)
    _stopped_job(world)


def _created(world: World, *rules: dict[str, Any], **fields: str) -> str:
    """Create a job whose model calls follow these rules, one after the other, and return its id."""
    topic = f"rivers {uuid.uuid4().hex}"
    for rule in rules:
        world.says(topic, **rule)
    job_id: str = data_of(world.create("haiku", {"topic": topic, **fields}), 202)["jobId"]
    return job_id


def _large_job(world: World, agent_id: str) -> None:
    """Let the first output, which is over 100 kB, break off: its text is stored, read and replaced."""
    output = " ".join(wide(3900) for _ in range(24))
    # Slow enough that the log is compacted before the end.
    broken = {"text": output, "error_after": len(split_tokens(output)) - 1, "token_ms": 5}
    job_id = _created(world, broken, agentId=agent_id)
    assert world.user.watch(job_id)[-1].type == "complete"


def _failed_job(world: World) -> None:
    job_id = _created(world, {"content_filter": True})
    assert world.user.watch(job_id)[-1].type == "error"


def _stopped_job(world: World) -> None:
    job_id = _created(world, {"hang_after": 0}, {"hang_after": 0})
    world.wait_for_start(job_id)
    assert world.user.cancel(job_id).status_code == 200
    data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
    world.wait_for_start(job_id)
    world.date_back(job_id, world.user.job(job_id)["executionArn"])
    assert job_id not in world.invoke("sweep_jobs")["ended"]
    world.sweep_stopped(job_id)
