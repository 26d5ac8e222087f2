"""What this application stores of a user, for the tests of erasures."""

from __future__ import annotations

from local.template.template import Template
from tests.api_user import ApiUser, data_of
from tests.apps.video.projects_world import a_job_id, put_scene
from tests.apps.video.requests import give_render, give_scenes, new_project, rename, send
from tests.fakes.png import png_of
from tests.forms import post_form
from tests.layout import ROOT

PNG = png_of(1, 2, 3)


def store(user: ApiUser, marker: str) -> None:
    """Store projects with scenes, a message, images, preferences and a render, each with the marker."""
    project_id = new_project(user, title=marker)["projectId"]
    give_scenes(user.stack, project_id, put_scene(a_job_id(), name="Large", tsx_code=f"// {marker}\n" + "x" * 110_000))
    user.ended(send(user, project_id, **rename(f"{marker} 2"))["jobId"])
    _images(user, f"/projects/{project_id}/images", marker)
    for query in ({}, {"projectId": project_id}):
        data_of(user.api.patch("/preferences/video", json={"facts": {"tone": marker}}, params=query))
    render = give_render(user.stack, project_id)
    for folder in (f"renders/{project_id}/{render.id}.mp4", f"jobs/{render.job_id}/chunks/0.mp4"):
        user.stack.client("s3").put_object(Bucket=_bucket(), Key=folder, Body=marker.encode())
    new_project(user, title=f"{marker} 3")


def _images(user: ApiUser, path: str, marker: str) -> None:
    """Upload two images, and complete one of them."""
    for completes in (True, False):
        body = {"name": f"{marker}.png", "contentType": "image/png", "bytes": len(PNG)}
        image = data_of(user.api.post(path, json=body), 201)
        assert post_form(image["upload"]["url"], image["upload"]["fields"], PNG)[0] == 204
        if completes:
            data_of(user.api.post(f"{path}/{image['imageId']}/complete"))


def _bucket() -> str:
    return Template(ROOT / "template.yaml").buckets[0]
