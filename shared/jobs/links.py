"""Check that what a job is linked to exists and belongs to the job's owner, when the job is created or resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from shared.errors import CheckpointUnfit, FieldIssue, InvalidInput
from shared.jobs.job import Job, JobStatus, LinkKind
from shared.jobs.pipeline import Pipeline
from shared.jobs.store import PreparedWrites


class LinkedEntities(Protocol):
    """The entities of one kind that jobs can be linked to, such as the sessions of an application."""

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        """Prepare the condition under which the job may be linked to the entity.

        It is part of the job's transaction, usually a ConditionCheck that the entity is still stored. So a job is never
        linked to an entity that was removed or closed before the job was stored. Return None if the job's owner has no
        such entity.

        Raises Conflict if the owner has it, but it takes no jobs, for example because it is closed.
        """


class LinkChecks:
    """Implements SideWrites: prepare the conditions of a new or resumed job's links.

    `entities_of` returns who may have the entity of a link of this kind, for a job of this pipeline: one of them must
    have it. If the function returns none, no application owns this kind, and any id is accepted.
    """

    def __init__(
        self,
        *,
        pipelines: Mapping[str, Pipeline],
        entities_of: Callable[[LinkKind, str], Iterable[LinkedEntities]],
    ) -> None:
        self._pipelines = pipelines
        self._entities_of = entities_of

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the conditions of a new job's links.

        Raises:
            InvalidInput: the owner has no such entity. It is not said whether another user has.
            Conflict: the entity takes no jobs.
        """
        return self._conditions(job, _not_yours)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare the conditions of a resumed job's links; None for an end, which no link can prevent.

        Raises:
            CheckpointUnfit: an entity was removed.
            Conflict: the entity takes no jobs.
        """
        return self._conditions(job, _removed) if job.status is JobStatus.PENDING else None

    def _conditions(self, job: Job, refusal: Callable[[LinkKind, str], Exception]) -> PreparedWrites | None:
        found = []
        for kind, entity_id in job.links.by_kind().items():
            if kind is LinkKind.RUN and self._records_runs(job):
                continue  # the job's own run: its recorder creates it, and has a condition on it later
            condition = self._condition(job, kind, entity_id, refusal)
            if condition is not None:
                found.append(condition)
        return PreparedWrites(tuple(write for each in found for write in each.writes)) if found else None

    def _condition(
        self, job: Job, kind: LinkKind, entity_id: str, refusal: Callable[[LinkKind, str], Exception]
    ) -> PreparedWrites | None:
        """Prepare the condition of one link; None if no application owns this kind."""
        owned = False
        for entities in self._entities_of(kind, job.pipeline):
            owned = True
            condition = entities.condition(job, entity_id)
            if condition is not None:
                return condition
        if owned:
            raise refusal(kind, entity_id)
        return None

    def _records_runs(self, job: Job) -> bool:
        pipeline = self._pipelines.get(job.pipeline)
        return pipeline is not None and pipeline.recording is not None


def _not_yours(kind: LinkKind, _: str) -> InvalidInput:
    rule = f"must be the id of one of your {kind.noun}s; you have no {kind.noun} with this id"
    return InvalidInput([FieldIssue(f"links.{kind}", rule)])


def _removed(kind: LinkKind, entity_id: str) -> CheckpointUnfit:
    return CheckpointUnfit(f"the job belongs to {kind.noun} {entity_id}, which no longer exists; create a new job")
