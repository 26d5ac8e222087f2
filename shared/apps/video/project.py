"""Video projects: their revisions, and the chat that changes them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.apps.video.ids import ImageId, SceneId
from shared.apps.video.job_state import JobState
from shared.apps.video.manifest import Manifest
from shared.apps.video.models import ChangeMade, Choice, Option
from shared.apps.video.scene import Format
from shared.jobs.job import Fault
from shared.schema import Schema

Title = Annotated[str, Field(min_length=1, max_length=200)]


class Cause(Schema):
    """Why there is a revision: the project was created, a message of the chat, its owner, or a return to a revision.

    `job_id` and `message_id` are those of the message. `reverted_to` is the revision that was returned to.
    """

    kind: Literal["create", "chat", "direct", "revert"]
    job_id: str | None = None
    message_id: str | None = None
    reverted_to: int | None = None


class Project(Schema):
    """A stored project as it is now, which is as its newest revision says.

    `revision` is the number of that revision, from 1: the first one is the empty project. Every change makes the next
    revision.
    """

    id: str
    owner: str
    title: Title
    format: Format
    revision: int = Field(ge=1)
    manifest: Manifest = Manifest()
    created_at: datetime
    updated_at: datetime
    deleting: bool = False


class Revision(Schema):
    """One immutable state of a project. `changes` are its differences from the revision before."""

    project_id: str
    number: int = Field(ge=1)
    title: Title
    format: Format
    manifest: Manifest
    cause: Cause
    summary: str
    changes: tuple[ChangeMade, ...] = ()
    created_at: datetime


# ---- chat ------------------------------------------------------------------------------------------------------------


class ChatMessage(Schema):
    """One message of a project's chat. `id` is that of `message_id`, and gives the order.

    A user's message has the `status` of its job, and the job's `failure` if it failed. An assistant's message is
    written once: with the revision that it tells of, if it made one. `choice` says which tool was chosen for it,
    `changes` are those of the revision, and `revision` is the project's newest one when the message was written.
    """

    project_id: str
    id: str
    role: Literal["user", "assistant"]
    kind: Literal["message", "question"] = "message"
    text: str
    job_id: str
    image_ids: tuple[ImageId, ...] = ()
    scene_ids: tuple[SceneId, ...] = ()
    answer_to: str | None = None
    status: JobState = "completed"
    failure: Fault | None = None
    choice: Choice | None = None
    options: tuple[Option, ...] = ()
    revision: int | None = None
    changes: tuple[ChangeMade, ...] = ()
    created_at: datetime
