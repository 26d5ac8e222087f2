"""The requests of video chat that tests send, and short ways to reach a state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from local.stack import LocalStack
from local.template.template import Template
from shared.apps.video.ids import render_id
from shared.apps.video.models import BuiltChange
from shared.apps.video.project import Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.rendering.render import Render, VideoFile
from shared.apps.video.storage.projects import DynamoProjectStore
from shared.apps.video.storage.renders import DynamoRenderStore
from shared.jobs.ids import new_job_id
from shared.storage import aws
from shared.storage.transactions import write_transaction
from tests.api_user import ApiUser, data_of
from tests.apps.video.projects_world import MILLISECONDS, a_job_id, a_message, put_scene, write_of
from tests.fakes.clock import NOON
from tests.layout import ROOT

TEMPLATE = Template(ROOT / "template.yaml")


def new_project(user: ApiUser, title: str = "Launch", **fields: Any) -> dict[str, Any]:
    """Create a project and return it."""
    created: dict[str, Any] = data_of(user.api.post("/projects", json={"title": title, **fields}), 201)
    return created


def get_project(user: ApiUser, project_id: str, **query: Any) -> dict[str, Any]:
    project: dict[str, Any] = data_of(user.api.get(f"/projects/{project_id}", params=query), 200)
    return project


@contextmanager
def store_of(stack: LocalStack) -> Iterator[ProjectStore]:
    """Provide the store of the stack's projects: no model and no compiler is needed to give a project scenes."""
    with patch.object(aws, "client", stack.client):
        yield DynamoProjectStore("millrace-DurableTable", TEMPLATE.buckets[0], count=lambda *_: None)


def give_scenes(stack: LocalStack, project_id: str, *changes: BuiltChange) -> Project:
    """Make a revision of the project with these changes, by default one new scene, and return the project."""
    with store_of(stack) as store:
        project = store.get(project_id)
        assert project is not None
        write = write_of(project, *(changes or (put_scene(a_job_id()),)))
        store.save(write)
        return write.after


def give_messages(stack: LocalStack, project_id: str, *texts: str) -> None:
    """Give the project's chat these messages, oldest first, whose jobs have ended."""
    with store_of(stack) as store:
        project = store.get(project_id)
        assert project is not None
        for number, text in enumerate(texts):
            job_id = new_job_id(MILLISECONDS + number)  # ids sort by time
            assert store.add_message(a_message(project, job_id, text=text, status="completed"))


def give_render(stack: LocalStack, project_id: str) -> Render:
    """Give the project a render that has completed, without a file, and return it: nothing is rendered."""
    job_id = a_job_id()
    render = Render(
        id=render_id(job_id),
        project_id=project_id,
        owner="nobody",
        job_id=job_id,
        revision=1,
        quality="standard",
        frames=90,
        fps=30,
        status="completed",
        file=VideoFile(bytes=9, sha256="0" * 64, frames=90, seconds=3, width=1280, height=720),
        created_at=NOON,
        ended_at=NOON,
        expires_at=NOON + timedelta(days=36_500),
    )
    with patch.object(aws, "client", stack.client):
        write_transaction(DynamoRenderStore("millrace-DurableTable").prepare_new(render).writes)
    return render


def rename(title: str) -> dict[str, Any]:
    """Return the message that calls the project by another title, without a model and without a build."""
    ops = [{"op": "replace", "path": "/title", "value": title}]
    return {"text": f"Call it {title}", "tool": {"name": "applyPatch", "arguments": {"ops": ops}}}


def send(user: ApiUser, project_id: str, **message: Any) -> dict[str, Any]:
    """Send a message to the project's chat, and return what it is answered with."""
    sent: dict[str, Any] = data_of(user.api.post(f"/projects/{project_id}/messages", json=message), 202)
    return sent
