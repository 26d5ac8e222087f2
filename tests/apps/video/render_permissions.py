"""Every way in which renders of projects use AWS. The renderer is real, because each function has its process."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from shared.apps.video.models import BuiltChange
from shared.log.event_log import Batch
from shared.log.events import Progress
from shared.log.fence import Fence
from shared.storage import aws
from shared.storage.event_log import DynamoEventLog
from shared.storage.large_texts import LargeTexts
from tests.api_user import data_of, refusal, wait_until
from tests.apps.video.image_permissions import a_ready_image
from tests.apps.video.projects_world import CODE, a_build, a_job_id, put_scene
from tests.apps.video.requests import TEMPLATE, give_scenes, new_project
from tests.permissions.world import JOBS_TABLE, World

BUCKET = TEMPLATE.buckets[0]
DURABLE_TABLE = "millrace-DurableTable"
ALMOST = 299_990
"""Bytes of a log whose next append crosses a multiple of the bound in this scenario, 60,000."""
LARGE = f"{CODE} // {'x' * 200_000}"
"""Code that is too large for an item, so that it is in the bucket, and so is the plan."""


def use_renders(world: World, agent_id: str) -> None:
    """Render a project, read its renders, let some end early or not start, and delete it."""
    project_id = str(new_project(world.user)["projectId"])
    image_id = a_ready_image(world, f"/projects/{project_id}/images")
    give_scenes(world.stack, project_id, _scene(LARGE, images=(image_id,), duration_in_frames=70))
    path = f"/projects/{project_id}/renders"
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):
        render = data_of(world.user.api.post(path, json={"quality": "draft"}, headers=headers), 202)
    assert world.user.ended(render["jobId"])["status"] == "completed"
    for each in (world.get(f"{path}/{render['renderId']}"), *world.get(path)["renders"]):
        assert world.user.api.get(each["downloadUrl"], headers={"Authorization": ""}).status_code == 200
    _stage_by_stage(world, path, project_id, agent_id)
    _queued(world, path)
    _renders_that_end_early(world, path, project_id)
    give_scenes(world.stack, project_id, _scene("export default () => { throw new Error('no more'); }"))
    broken = data_of(world.user.api.post(path, json={"quality": "draft"}), 202)
    assert world.user.ended(broken["jobId"])["status"] == "failed"
    data_of(world.user.api.delete(f"/projects/{project_id}"))


def _scene(js_code: str, **fields: Any) -> BuiltChange:
    return put_scene(a_job_id(), **fields).model_copy(update={"build": a_build(js_code=js_code)})


def _invoke(world: World, stage: str, job_id: str, retry: int = 0, **fields: Any) -> dict[str, Any]:
    """Invoke an attempt, which may fail, and return what it returns."""
    event = json.dumps({"jobId": job_id, "generation": 1, "retry": retry, **fields}).encode()
    answer = world.stack.client("lambda").invoke(FunctionName=f"millrace-{stage}", Payload=event)
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    return said


def _lengthen(world: World, job_id: str) -> None:
    """Let the job's log seem so long that the next append compacts it."""
    with patch.object(aws, "client", world.stack.client):
        log = DynamoEventLog(JOBS_TABLE, LargeTexts(BUCKET))
        tail = log.tail(job_id)
        fence = tail.fence or Fence.of_resumption(1)
        expires_at = int(datetime.now(UTC).timestamp()) + 3600
        events = (Progress(progress=0.1),)
        log.append(job_id, Batch(tail.seq + 1, events, fence, datetime.now(UTC), ALMOST, expires_at=expires_at))


def _stage_by_stage(world: World, path: str, project_id: str, agent_id: str) -> None:
    """Run the stages of a render, some twice; let a chunk's file be lost, and the project while chunks are joined."""
    bucket = world.stack.client("s3")
    with world.idle_state_machines():
        render = data_of(world.user.api.post(path, json={"quality": "draft", "agentId": agent_id}), 202)
        job_id = render["jobId"]
        for stage in ("await_turn", "plan_render"):
            for retry in (0, 1):
                planned = _invoke(world, stage, job_id, retry)
        _lengthen(world, job_id)
        for part in planned["parts"]:
            _invoke(world, "render_chunk", job_id, part=part)
            _invoke(world, "render_chunk", job_id, 1, part=part)
        world.get(f"{path}/{render['renderId']}")
        lost = {"Bucket": BUCKET, "Key": f"jobs/{job_id}/chunks/chunk-000.mp4"}
        content = bucket.get_object(**lost)["Body"].read()
        bucket.delete_object(**lost)
        assert _invoke(world, "join_chunks", job_id)["errorType"] == "DataLost"
        bucket.put_object(**lost, Body=content)
        with ThreadPoolExecutor(1) as pool:
            with world.stack.holding("PUT", executed=True, function="JoinChunksFunction") as held:
                joining = pool.submit(_invoke, world, "join_chunks", job_id, 1)
                wait_until(held)
                key = {"PK": {"S": f"PROJECT#{project_id}"}, "SK": {"S": f"RENDER#{render['renderId']}"}}
                world.stack.client("dynamodb").delete_item(TableName=DURABLE_TABLE, Key=key)
            assert joining.result()["errorType"] == "DataLost"
        assert world.user.cancel(job_id).status_code == 200


def _queued(world: World, path: str) -> None:
    """Let a render with a long log wait for its turn, and cancel it there."""
    with world.idle_state_machines():
        first, second, third = (data_of(world.user.api.post(path, json={}), 202)["jobId"] for _ in range(3))
        _lengthen(world, third)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(_invoke, world, "await_turn", third)
            wait_until(lambda: world.user.job(third)["lastEventId"] >= 4)
            for job_id in (third, first, second):
                assert world.user.cancel(job_id).status_code == 200
            assert waiting.result()["errorType"] == "JobEnded"


def _renders_that_end_early(world: World, path: str, project_id: str) -> None:
    """Cancel, resume, lose and sweep renders, and create one that does not start."""
    body = {"pipeline": "render", "input": {}, "links": {"projectId": project_id}}
    with world.idle_state_machines():
        render = data_of(world.user.api.post(path, json={}), 202)
        assert world.user.cancel(render["jobId"]).status_code == 200
        data_of(world.user.api.post(f"/jobs/{render['jobId']}/resume"), 202)
        assert world.user.cancel(render["jobId"]).status_code == 200
        world.execution_ended(data_of(world.user.api.post(path, json={}), 202)["jobId"])
        stopped = data_of(world.post("/jobs", body), 202)["jobId"]
        world.invoke("await_turn", jobId=stopped, generation=1, retry=0)
        world.sweep_stopped(stopped)
    with world.without_state_machines():
        refusal(world.post(path, {}), 503, "EXECUTION_NOT_STARTED")
