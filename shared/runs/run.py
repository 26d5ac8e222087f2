"""Runs, the transforms that happened in them, and the artefacts these took in and left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.agents.agent import AgentRef
from shared.jobs.job import Fault
from shared.schema import Schema

PARAMETERS = "parameters"
"""The role of the artefact a run begins with: what was asked for."""


class TransformStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(Schema):
    """Something a user keeps and comes back to.

    `status` is its latest transform's; runs made before there were statuses are completed. `versions` counts the
    artefacts of each role, `digests` are those of the newest ones; `revision` counts the writes.
    """

    id: str
    owner: str
    kind: str = Field(description="the pipeline whose jobs the run keeps")
    title: str = ""
    status: TransformStatus = TransformStatus.COMPLETED
    transform_id: str | None = None
    versions: dict[str, int] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    revision: int = Field(default=0, ge=0)
    deleting: bool = False
    created_at: datetime
    updated_at: datetime


class Transform(Schema):
    """One piece of work in a run: artefacts in, artefacts out, by role (`role` → `<role>.v<version>`)."""

    id: str
    run_id: str
    kind: str
    status: TransformStatus = TransformStatus.COMPLETED
    job_id: str | None = None
    model: str | None = None
    agent: AgentRef | None = None
    retry_count: int = Field(default=0, ge=0)
    max_retries: int = Field(default=2, ge=0)
    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    failure: Fault | None = None
    created_at: datetime
    ended_at: datetime | None = None


class Artefact(Schema):
    """Immutable: whoever changes something makes the next version of its role."""

    run_id: str
    role: str
    version: int = Field(ge=1)
    transform_id: str | None = Field(default=None, description="what made it; null for what came from outside")
    content: dict[str, Any]
    created_at: datetime

    @property
    def ref(self) -> str:
        return artefact_ref(self.role, self.version)

    @property
    def text(self) -> str:
        """The content as JSON."""
        return json.dumps(self.content)

    @property
    def digest(self) -> str:
        """Tells contents apart without reading them."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


def artefact_ref(role: str, version: int) -> str:
    return f"{role}.v{version}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """All there is of a run: transforms by time, artefacts by role and version."""

    run: Run
    transforms: Sequence[Transform]
    artefacts: Sequence[Artefact]

    @property
    def latest_transform(self) -> Transform | None:
        """What is under way, or has happened last."""
        return self.transform(self.run.transform_id) or next(reversed(self.transforms), None)

    def transform(self, transform_id: str | None) -> Transform | None:
        return next((each for each in self.transforms if each.id == transform_id), None)

    def latest(self, role: str) -> Artefact | None:
        """The newest artefact of the role."""
        return _newest(each for each in self.artefacts if each.role == role)


def _newest(artefacts: Iterable[Artefact]) -> Artefact | None:
    return max(artefacts, key=lambda each: each.version, default=None)
