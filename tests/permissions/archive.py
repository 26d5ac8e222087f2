"""Every way in which functions use the archive: jobs that are archived, read, resumed and erased."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic.alias_generators import to_camel

from shared.jobs.job import Job, JobStatus
from shared.storage.attributes import from_item, to_item
from tests.api_user import data_of
from tests.apps.suggestions.requests import FIELDS
from tests.fakes.stream import a_record
from tests.patience import PATIENCE
from tests.permissions.world import JOBS_TABLE, World, key_of


def use_archive(world: World, run_id: str) -> None:
    """Archive a job that is linked to a run, let it expire, read it in every way, resume it, and delete the run.

    Also archive all completed jobs, a job whose log has no end, and one that was erased.
    """
    job_id = _cancelled_job(world, run_id)
    _archive(world, job_id)
    _expire(world, job_id)
    assert world.get(f"/jobs/{job_id}")["archived"]
    ticket = data_of(world.user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)["ticket"]
    watched = httpx.get(f"{world.stack.stream_url}/jobs/{job_id}/stream", params={"ticket": ticket}, timeout=PATIENCE)
    assert "event: snapshot" in watched.text
    world.follow(f"job:{job_id}")
    month = datetime.now(UTC).strftime("%Y-%m")
    for filters in (f"month={month}", f"runId={run_id}"):
        assert job_id in [job["jobId"] for job in world.get(f"/jobs?archived=true&limit=100&{filters}")["jobs"]]
    data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
    world.user.cancel(job_id)
    for job in world.get("/jobs?status=completed&limit=100")["jobs"]:
        _archive(world, job["jobId"])  # some have a large log and a large result
    _archive_without_end(world)
    _archive_erased(world, job_id)
    assert world.user.api.delete(f"/ideations/{run_id}").status_code in {200, 204}


def _cancelled_job(world: World, run_id: str) -> str:
    page = f"Page {uuid.uuid4().hex}"
    world.says(page, hang_after=0)
    body = {"pipeline": "suggestion", "input": {**FIELDS, "pageOrComponent": page}, "links": {"runId": run_id}}
    job_id: str = data_of(world.post("/jobs", body), 202)["jobId"]
    world.wait_for_start(job_id)
    assert world.user.cancel(job_id).status_code == 200
    return job_id


def _archive(world: World, job_id: str) -> None:
    """Hand the record of the job's end to archive_job, as the stream does once more."""
    item = world.stack.client("dynamodb").get_item(TableName=JOBS_TABLE, Key=key_of(job_id), ConsistentRead=True)
    names = {to_camel(name) for name in Job.model_fields}
    job = Job.model_validate({name: each for name, each in from_item(item["Item"]).items() if name in names})
    record = a_record(job, before=JobStatus.IN_PROGRESS)
    assert world.invoke("archive_job", Records=[record]) == {"batchItemFailures": []}


def _expire(world: World, job_id: str) -> None:
    world.stack.client("dynamodb").update_item(
        TableName=JOBS_TABLE,
        Key=key_of(job_id),
        UpdateExpression="SET expiresAt = :then",
        ExpressionAttributeValues={":then": {"N": str(int(time.time()) - 1)}},
    )


def _archive_without_end(world: World) -> None:
    """Archive a job whose process has died between its end and the end of its log."""
    with world.idle_state_machines():
        job_id = world.user.new_job()
    world.stack.client("dynamodb").update_item(
        TableName=JOBS_TABLE,
        Key=key_of(job_id),
        UpdateExpression="SET #status = :cancelled REMOVE live",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":cancelled": {"S": "cancelled"}},
    )
    _archive(world, job_id)


def _archive_erased(world: World, job_id: str) -> None:
    note: Any = to_item({"PK": f"JOB#{job_id}", "SK": "ERASED", "expiresAt": int(time.time()) + 600})
    world.stack.client("dynamodb").put_item(TableName=JOBS_TABLE, Item=note)
    _archive(world, job_id)
