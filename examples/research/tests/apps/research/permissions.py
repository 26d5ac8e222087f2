"""Every way in which the research pipeline and the core, for its jobs, use AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

from local.model.tokens import split_tokens
from tests.api_user import data_of, wait_until
from tests.permissions.world import World, wide

SOURCES = 4


def use_everything(world: World, agent_id: str) -> None:
    """Run a job with a large output, one that fails, and one that is cancelled, resumed and swept."""
    notebook_id = data_of(world.post("/notebooks", {"title": "Floods"}), 201)["notebookId"]
    world.get(f"/notebooks/{notebook_id}")
    _large_job(world, agent_id)
    _failed_job(world)
    _stopped_job(world)


def _created(world: World, *rules: dict[str, Any]) -> str:
    """Create a job with one part, whose model calls follow these rules, one after the other, and return its id."""
    question = f"Which floods came in March, after rain on snow {uuid.uuid4().hex}?"
    for rule in rules:
        world.says(question, **rule)
    job_id: str = data_of(world.create("research", {"question": question, "sourceCount": 1}), 202)["jobId"]
    return job_id


def _large_job(world: World, agent_id: str) -> None:
    """Let the notes be long, and the first report, which is over 100 kB, break off: its text is stored and replaced."""
    question = f"Which floods came in March, after rain on snow {uuid.uuid4().hex}?"
    notes = {"text": json.dumps({"notes": [wide(1900)] * 5}, ensure_ascii=False)}
    for _ in range(SOURCES):
        world.says(f"{question}\n\nSource:", **notes)
    report = " ".join(wide(3900) for _ in range(24))
    # Slow enough that the log is compacted before the end.
    world.says(f"{question}\n\nSources,", text=report, error_after=len(split_tokens(report)) - 1, token_ms=5)
    job_input = {"question": question, "sourceCount": SOURCES, "agentId": agent_id}
    job_id = data_of(world.create("research", job_input), 202)["jobId"]
    assert world.user.watch(job_id)[-1].type == "complete"


def _failed_job(world: World) -> None:
    job_id = _created(world, {"content_filter": True})
    assert world.user.watch(job_id)[-1].type == "error"


def _wait_for_its_part(world: World, job_id: str) -> None:
    """Wait until the part has begun: while it waits for the model, it does not change the job."""
    wait_until(lambda: world.user.job(job_id)["subtasks"])


def _stopped_job(world: World) -> None:
    job_id = _created(world, {"hang_after": 0}, {"hang_after": 0})
    _wait_for_its_part(world, job_id)
    assert world.user.cancel(job_id).status_code == 200
    data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
    _wait_for_its_part(world, job_id)
    world.date_back(job_id, world.user.job(job_id)["executionArn"])
    assert job_id not in world.invoke("sweep_jobs")["ended"]
    world.sweep_stopped(job_id)
