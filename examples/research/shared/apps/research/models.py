"""Define the input, the event and the result of a research job."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.jobs.pipeline import JobInput
from shared.log.events import ApplicationEvent
from shared.schema import Schema

Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class ResearchInput(JobInput):
    """What to find out, and in how many sources."""

    question: Question
    source_count: int = Field(default=3, ge=1, le=8, description="the most sources of the library to read")


class ResearchFinding(Schema):
    """One claim that the model has noted, with the passage that supports it; `number` counts from 1."""

    number: int = Field(ge=1)
    claim: str
    passage_id: str
    source: str = Field(description="the title of the passage's source")


class FindingNoted(ApplicationEvent):
    """The model has noted a finding. Late watchers find it among the job's items."""

    type: Literal["finding"] = "finding"
    finding: ResearchFinding


class ResearchNotes(Schema):
    """What one source says about the question: the result of a part. Empty if it says nothing."""

    notes: Annotated[tuple[Note, ...], Field(max_length=5)]


class ResearchReport(Schema):
    """The result of a research job."""

    answer: str
    findings: tuple[ResearchFinding, ...]
    sources: tuple[str, ...] = Field(description="the titles of the sources, the best first")
    stopped_by: str | None = Field(default=None, description="the limit that ended the research early")
