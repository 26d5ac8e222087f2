"""The projects of video jobs in chaos: how they are made and changed beside the job, and what is stored of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from local.stack import ROOT, LocalStack
from local.template.template import Template
from shared.apps.video.storage.projects import DELETED
from shared.storage.attributes import from_item
from tests.api_user import data_of
from tests.chaos.application import Subject
from tests.chaos.stored_items import stored_items
from tests.chaos.story import JobStory
from tests.fakes.png import png_of
from tests.forms import post_form
from tests.patience import PATIENCE

_PNG = png_of(200, 40, 90, width=6, height=3)
_WITH_IMAGE = 4
"""Every fourth project has an image."""
_DELETED = 3
"""Every third project is deleted at the end, because a deletion takes as long as a short job."""


# ---- what is done to them --------------------------------------------------------------------------------------------


async def new_project(_stack: LocalStack, api: httpx.AsyncClient, page: str) -> dict[str, Any]:
    """Create a project, some with an image, and return the field that links a job to it."""
    project_id = data_of(await api.post("/projects", json={"title": "Chaos"}), 201)["projectId"]
    if number_of(page) % _WITH_IMAGE == 0:
        body = {"name": "logo.png", "contentType": "image/png", "bytes": len(_PNG)}
        image = data_of(await api.post(f"/projects/{project_id}/images", json=body), 201)
        form = image["upload"]
        assert await asyncio.to_thread(post_form, form["url"], form["fields"], _PNG) == (204, "")
        data_of(await api.post(f"/projects/{project_id}/images/{image['imageId']}/complete"))
    return {"links": {"projectId": project_id}}


def number_of(page: str) -> int:
    """Return the number of the job with this unique name."""
    return int(page.split()[1])


def path_of(subject: Subject) -> str:
    """Return the path of the project to which the job is linked."""
    return f"/projects/{subject['links']['projectId']}"


def also_shown(subject: Subject) -> dict[str, str]:
    """Return the operations that show the project."""
    path = path_of(subject)
    return {"project": path, "messages": f"{path}/messages", "revisions": f"{path}/revisions"}


def _rename(subject: Subject) -> tuple[str, str, dict[str, Any]]:
    return "PATCH", path_of(subject), {"title": f"Renamed {uuid.uuid4().hex}"}


def _undo(subject: Subject) -> tuple[str, str, dict[str, Any]]:
    return "POST", f"{path_of(subject)}/revert", {"revision": 1}


def _message(subject: Subject) -> tuple[str, str, dict[str, Any]]:
    ops = [{"op": "replace", "path": "/title", "value": f"Called {uuid.uuid4().hex}"}]
    body = {"text": "Another title", "tool": {"name": "applyPatch", "arguments": {"ops": ops}}}
    return "POST", f"{path_of(subject)}/messages", body


RENAME, UNDO, MESSAGE = "rename", "undo", "message"
OPERATIONS = {RENAME: _rename, UNDO: _undo, MESSAGE: _message}
"""What the owner does to a project while a job works on it. A message is answered by a job without a model."""


# ---- what is stored of them ------------------------------------------------------------------------------------------


async def stored_project(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> dict[str, Any]:
    """Return the project, its revisions and messages, oldest first, and the sort keys of its versions.

    Wait for the jobs of the other messages to end before.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            items = await asyncio.to_thread(_items, stack, story.subject)
            messages = [body for sort, body in items if sort.startswith("CHAT#")]
            if not any(each["status"] == "running" and each["jobId"] != story.job_id for each in messages):
                break
            await asyncio.sleep(0.2)
    return {
        "project": next(body for sort, body in items if sort == "PROJECT"),
        "revisions": [body for sort, body in items if sort.startswith("REV#")],
        "messages": messages,
        "versions": [sort for sort, _ in items if sort.startswith(("SCENE#", "COMP#"))],
    }


async def deleted(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> list[str]:
    """Delete the project, if it is its turn, and return what is left of it and its jobs, besides the note of that."""
    if number_of(story.page) % _DELETED:
        return []
    path = path_of(story.subject)
    answer = await api.delete(path)
    while answer.status_code == 503:
        await asyncio.sleep(0.2)
        answer = await api.delete(path)
    if answer.status_code != 200:
        return [f"the deletion of the project was answered {answer.status_code}: {answer.text[:300]}"]
    left: list[str] = []
    with contextlib.suppress(TimeoutError):
        # A process that was archiving the job deletes its record again; if it was killed before, the next one does.
        async with asyncio.timeout(PATIENCE):
            while left := await _left(stack, api, story):  # noqa: ASYNC110 - writes of other processes set no asyncio.Event
                await asyncio.sleep(0.2)
    return [f"of the deleted project there is left: {left}"] if left else []


async def _left(stack: LocalStack, api: httpx.AsyncClient, story: JobStory) -> list[str]:
    items, objects = await asyncio.to_thread(_remains, stack, story)
    paths = path_of(story.subject), f"/jobs/{story.job_id}"
    shown = [(await api.get(path)).status_code for path in paths]
    return [*items, *objects, *(f"GET is answered {each}" for each in shown if each != 404)]


def _remains(stack: LocalStack, story: JobStory) -> tuple[list[str], list[str]]:
    items = [sort for sort, _ in _items(stack, story.subject) if sort != DELETED]
    s3, bucket = stack.client("s3"), Template(ROOT / "template.yaml").buckets[0]
    found = [
        each["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for each in page.get("Contents", ())
    ]
    return items, [key for key in found if story.subject["links"]["projectId"] in key or story.job_id in key]


def _items(stack: LocalStack, subject: Subject) -> list[tuple[str, Any]]:
    """Return sort key and content of the project's items, in their order; None for items without JSON."""
    found = stored_items(stack, "DurableTable", f"PROJECT#{subject['links']['projectId']}")
    items = [from_item(item) for item in found]
    return [(str(each["SK"]), _content(each)) for each in items]


def _content(item: Mapping[str, Any]) -> Any:
    return json.loads(item["body"]) if str(item["SK"]).startswith(("PROJECT", "REV#", "CHAT#")) else None
