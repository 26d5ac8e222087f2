"""Define the input and the result of a haiku job."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.jobs.pipeline import JobInput
from shared.schema import Schema

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class HaikuInput(JobInput):
    """What to write about."""

    topic: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Haiku(Schema):
    """The result of a haiku job."""

    lines: Annotated[tuple[Line, ...], Field(min_length=3, max_length=3)]
