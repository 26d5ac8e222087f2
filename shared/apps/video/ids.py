"""Make the ids of projects, scenes and images, and of the messages of a project's chat."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import StringConstraints

from shared.jobs.ids import ulid_of
from shared.texts import in_words
from shared.ulid import ALPHABET, new_ulid

PROJECT_ID = re.compile(rf"prj_[{ALPHABET}]{{26}}")
"""Matches a whole project id."""
SCENE_ID = re.compile(rf"scn_[{ALPHABET}]{{26}}-[1-9]?[0-9]")
"""Matches a whole scene id."""
IMAGE_ID = re.compile(rf"img_[{ALPHABET}]{{26}}")
"""Matches a whole image id."""
RENDER_ID = re.compile(rf"rnd_[{ALPHABET}]{{26}}")
"""Matches a whole render id."""
MESSAGE_ID = re.compile(rf"[{ALPHABET}]{{26}}-[12]")
"""Matches a whole id of a message."""

SceneId = Annotated[
    str,
    StringConstraints(pattern=rf"^{SCENE_ID.pattern}$"),
    in_words("must be a scene id, as the project's `scenes` have it, such as scn_01jz0000000000000000000000-0"),
]
ImageId = Annotated[
    str,
    StringConstraints(pattern=rf"^{IMAGE_ID.pattern}$"),
    in_words("must be an image id, as its upload returned it, such as img_01jz0000000000000000000000"),
]
MessageId = Annotated[
    str,
    StringConstraints(pattern=rf"^{MESSAGE_ID.pattern}$"),
    in_words("must be a message id, as the chat's `messages` have it, such as 01jz0000000000000000000000-2"),
]
ComponentName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$"),
    in_words("must be 1 to 64 letters and digits that begin with a capital letter, such as PriceTag"),
]
"""The name of a reusable component, in PascalCase."""


def new_project_id(milliseconds: int) -> str:
    """Return a new project id; `milliseconds` is the Unix time of its creation."""
    return f"prj_{new_ulid(milliseconds)}"


def new_image_id(milliseconds: int) -> str:
    """Return a new image id; `milliseconds` is the Unix time of its creation."""
    return f"img_{new_ulid(milliseconds)}"


def scene_id(job_id: str, part: int) -> str:
    """Return the id of a scene that a job adds; `part`, from 0 to 99, is its place among the job's new scenes.

    A retried attempt makes the same id, so that it cannot add a scene twice.
    """
    return f"scn_{ulid_of(job_id)}-{part}"


def render_id(job_id: str) -> str:
    """Return the id of the render that a job makes: renders sort by their creation."""
    return f"rnd_{ulid_of(job_id)}"


def message_id(job_id: str, role: Literal["user", "assistant"]) -> str:
    """Return the id of the request or the reply of a chat job: they sort by the job's creation, the request first."""
    return f"{ulid_of(job_id)}-{1 if role == 'user' else 2}"
