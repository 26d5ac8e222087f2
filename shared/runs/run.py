"""Runs, their transforms, and the artefacts that the transforms take and make."""

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
"""The role of a run's first artefact: the parameters of its first job."""


class TransformStatus(StrEnum):
    """The status of a transform: `running` while its job is live, then the status with which the job ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(Schema):
    """What an owner keeps of an application's jobs.

    `status` is the status of the latest transform; a run from before runs had a status is completed. `versions` is the
    number of artefacts by role, `digests` are the digests of the newest ones by role. `revision` counts the writes.
    """

    id: str
    owner: str
    kind: str = Field(description="the name of the pipeline whose jobs the run records")
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
    """The work of one job in a run. `inputs` and `outputs` name artefacts by role, as `<role>.v<version>`."""

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
    """One immutable version of a role's content. A change makes the next version."""

    run_id: str
    role: str
    version: int = Field(ge=1)
    transform_id: str | None = Field(
        default=None, description="the transform that made it; null for parameters, which the client sent"
    )
    content: dict[str, Any]
    created_at: datetime

    @property
    def ref(self) -> str:
        """Return the name of the artefact in its run."""
        return artefact_ref(self.role, self.version)

    @property
    def text(self) -> str:
        """Return the content as JSON."""
        return json.dumps(self.content)

    @property
    def digest(self) -> str:
        """Return a digest of the content, so that contents can be compared without reading them."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


def artefact_ref(role: str, version: int) -> str:
    """Return the name of an artefact in its run, such as `ideas.v1`."""
    return f"{role}.v{version}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run with all of its transforms, oldest first, and its artefacts, by role and version."""

    run: Run
    transforms: Sequence[Transform]
    artefacts: Sequence[Artefact]

    @property
    def latest_transform(self) -> Transform | None:
        """Return the running transform, or else the last one; None if there is none."""
        return self.transform(self.run.transform_id) or next(reversed(self.transforms), None)

    def transform(self, transform_id: str | None) -> Transform | None:
        """Return the transform with this id."""
        return next((each for each in self.transforms if each.id == transform_id), None)

    def latest(self, role: str) -> Artefact | None:
        """Return the newest artefact of the role."""
        return _newest(each for each in self.artefacts if each.role == role)


def _newest(artefacts: Iterable[Artefact]) -> Artefact | None:
    return max(artefacts, key=lambda each: each.version, default=None)
