"""Every way in which video chat, and the core for its jobs, use AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

from shared.apps.video.models import BuiltChange
from tests.api_user import data_of, refusal
from tests.apps.sheets.permissions import linked_jobs
from tests.apps.video import render_lane
from tests.apps.video.image_permissions import use_images
from tests.apps.video.projects_world import a_build, a_job_id, put_scene
from tests.apps.video.render_permissions import use_renders
from tests.apps.video.requests import get_project, give_scenes, new_project, rename, send
from tests.permissions.world import World

missing = render_lane.missing
"""What has to be installed before every function of video chat can run."""

CANCEL_ANY_JOB = ("DeleteProjectFunctionRole",)
"""The role that cancels the jobs of a project, of whichever pipeline they are."""

LARGE = "// " + "x" * 200_000
"""Code that is too large for an item, so that it is in the bucket."""


def use_everything(world: World, agent_id: str) -> None:
    """Create, change, read and delete projects, and let their messages be answered, fail and be lost."""
    project_id = _projects(world)
    use_images(world, project_id)
    use_renders(world, agent_id)
    _answers(world, project_id, agent_id)
    _answers_that_end_early(world, project_id)
    _messages_that_do_not_start(world, project_id)
    _deleted_project(world, project_id)


def _large_scene(name: str) -> BuiltChange:
    return put_scene(a_job_id(), name=name).model_copy(update={"build": a_build(js_code=LARGE)})


def _projects(world: World) -> str:
    """Create a project, change it in every way, and read all that it has."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):
        created = data_of(world.user.api.post("/projects", json={"title": "Launch"}, headers=headers), 201)
    project_id = str(created["projectId"])
    path = f"/projects/{project_id}"
    world.get("/projects")
    data_of(world.user.api.patch(path, json={"title": "New"}))
    scene_id = give_scenes(world.stack, project_id, _large_scene("Title")).manifest.scenes[0].scene_id
    get_project(world.user, project_id, code="true")
    get_project(world.user, project_id, revision=1)
    world.get(f"{path}/scenes/{scene_id}")
    world.get(f"{path}/revisions")
    world.follow(f"project:{project_id}")
    data_of(world.user.api.post(f"{path}/revert", json={"revision": 1}))
    data_of(world.user.api.post(f"{path}/revert", json={"revision": 3}))
    for query in ({}, {"projectId": project_id}):
        data_of(world.user.api.patch("/preferences/video", params=query, json={"facts": {"tone": "calm"}}))
        data_of(world.user.api.get("/preferences/video", params=query))
    return project_id


def _answers(world: World, project_id: str, agent_id: str) -> None:
    """Answer messages without and with a model, the second attempt included; then call their stages again."""
    done = send(world.user, project_id, **rename("Tidewater"))["jobId"]
    assert world.user.ended(done)["status"] == "completed"
    large = get_project(world.user, project_id)["scenes"][0]["sceneId"]
    renamed = _patch(world, project_id, [_set(f"/scenes/{large}/name", "Opening")])
    assert world.user.ended(renamed)["status"] == "completed"
    unchanged = send(world.user, project_id, text="undo")["jobId"]  # is only told where the button is
    assert world.user.ended(unchanged)["status"] == "completed"
    for text in ("make the opening scene blue", "add a scene about rivers"):
        job_id = send(world.user, project_id, text=text, agentId=agent_id)["jobId"]
        world.user.ended(job_id)
    _long_logs(world, project_id)
    ended = json.dumps({"jobId": done, "generation": 1, "retry": 1}).encode()  # a retry reads the job first
    for stage in ("decide_tool", "brief_scenes", "make_scenes", "save_scenes"):
        world.stack.client("lambda").invoke(FunctionName=f"millrace-{stage}", Payload=ended)
    world.get(f"/projects/{project_id}/messages")


def _long_logs(world: World, project_id: str) -> None:
    """Let a message make the log so long that it is compacted into the bucket, fail there, and read it again."""
    build = a_build(js_code="// " + "x" * 45_000)
    job = a_job_id()
    scenes = [put_scene(job, part).model_copy(update={"build": build}) for part in range(9)]
    broken = put_scene(job, 9, tsx_code="no code at all {")
    entries = give_scenes(world.stack, project_id, *scenes, broken).manifest.scenes[-10:]
    names = [_set(f"/scenes/{each.scene_id}/name", "Renamed") for each in entries[:9]]
    props = _set(f"/scenes/{entries[9].scene_id}/props", {"text": "new"})
    failed = _patch(world, project_id, [*names, props])
    assert world.user.ended(failed)["status"] == "failed"
    data_of(world.user.api.post(f"/jobs/{failed}/resume"), 202)
    assert world.user.ended(failed)["status"] == "failed"
    assert world.user.ended(_patch(world, project_id, names))["status"] == "completed"


def _set(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def _patch(world: World, project_id: str, ops: list[dict[str, Any]]) -> str:
    """Send a message that calls the patch, and return its job's id."""
    patch = {"name": "applyPatch", "arguments": {"ops": ops}}
    return str(send(world.user, project_id, text="Change it", tool=patch)["jobId"])


def _answers_that_end_early(world: World, project_id: str) -> None:
    """Cancel, resume, fail, lose and sweep jobs."""
    unknown = {"name": "deleteScene", "arguments": {"sceneIds": ["scn_01jd8x2v5n7k3q9w4t6y8z0abc-0"]}}
    failed = send(world.user, project_id, text="Delete it", tool=unknown)["jobId"]
    assert world.user.ended(failed)["status"] == "failed"
    with world.idle_state_machines():
        job_id = _job(world, project_id)
        assert world.user.cancel(job_id).status_code == 200
        data_of(world.user.api.post(f"/jobs/{job_id}/resume"), 202)
        assert world.user.cancel(job_id).status_code == 200
        world.execution_ended(_job(world, project_id))
        stopped = _job(world, project_id)
        world.invoke("decide_tool", jobId=stopped, generation=1, retry=0)
        world.sweep_stopped(stopped)


def _messages_that_do_not_start(world: World, project_id: str) -> None:
    question = {"answerTo": "01jd8x2v5n7k3q9w4t6y8z0abc-2"}
    image = {"imageIds": ["img_01jd8x2v5n7k3q9w4t6y8z0abc"]}
    for fields in (question, image):
        body: dict[str, Any] = {"text": "Hello", **fields}
        refusal(world.post(f"/projects/{project_id}/messages", body), 422, "VALIDATION_FAILED")
        refusal(_post_job(world, project_id, body), 422, "VALIDATION_FAILED")
    with world.without_state_machines():
        refusal(world.post(f"/projects/{project_id}/messages", rename("Never")), 503, "EXECUTION_NOT_STARTED")
        refusal(_post_job(world, project_id, rename("Never")), 503, "EXECUTION_NOT_STARTED")


def _deleted_project(world: World, project_id: str) -> None:
    """Delete a project while jobs of several pipelines run, with a text that an attempt has left in the bucket."""
    linked_jobs(world, {"projectId": project_id})
    with world.idle_state_machines():
        job_id = _job(world, project_id)
        bucket = world.stack.client("s3")
        name = bucket.list_buckets()["Buckets"][0]["Name"]
        bucket.put_object(Bucket=name, Key=f"jobs/{job_id}/checkpoint-left", Body=b"text")
        data_of(world.user.api.delete(f"/projects/{project_id}"))
    empty = new_project(world.user)["projectId"]
    data_of(world.user.api.delete(f"/projects/{empty}"))
    # Requests that began before the deletion have stored an image and a video, and the sweep is due.
    for key in (f"projects/{project_id}/images/late", f"renders/{project_id}/late.mp4"):
        bucket.put_object(Bucket=name, Key=key, Body=b"late")
    world.stack.client("dynamodb").update_item(
        TableName="millrace-DurableTable",
        Key={"PK": {"S": f"PROJECT#{project_id}"}, "SK": {"S": "DELETED"}},
        UpdateExpression="SET sweepAt = :now",
        ExpressionAttributeValues={":now": {"S": "2026-01-01"}},
    )
    assert world.invoke("sweep_projects")["purged"] >= 1


def _job(world: World, project_id: str) -> str:
    """Send a message as a client of `POST /jobs` does, and return its job's id."""
    job_id: str = data_of(_post_job(world, project_id, rename("Later")), 202)["jobId"]
    return job_id


def _post_job(world: World, project_id: str, message: dict[str, Any]) -> Any:
    body = {"pipeline": "video_chat", "input": message, "links": {"projectId": project_id}}
    return world.post("/jobs", body)
