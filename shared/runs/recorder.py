"""Runs follow their jobs: every move of a job that counts for its run is one write with the run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.job import Job, JobStatus
from shared.jobs.pipeline import Pipeline, RunRecording
from shared.jobs.store import PreparedWrites
from shared.log.event_log import EventLog
from shared.log.reader import read_transcript
from shared.runs.run import PARAMETERS, Artefact, Run, Transform, TransformStatus, artefact_ref
from shared.runs.store import RunStore

STATUS = {
    JobStatus.PENDING: TransformStatus.RUNNING,
    JobStatus.IN_PROGRESS: TransformStatus.RUNNING,
    JobStatus.COMPLETED: TransformStatus.COMPLETED,
    JobStatus.FAILED: TransformStatus.FAILED,
    JobStatus.CANCELLED: TransformStatus.CANCELLED,
}


class RunRecorder:
    """Prepare the writes to runs that go with a job's own writes, for pipelines that record runs."""

    def __init__(
        self,
        *,
        runs: RunStore,
        checkpoints: CheckpointStore,
        event_log: EventLog,
        pipelines: Mapping[str, Pipeline],
    ) -> None:
        self._runs = runs
        self._checkpoints = checkpoints
        self._log = event_log
        self._pipelines = pipelines

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """The run of a new job, with its first transform and the artefact of what was asked for."""
        recording = self._recording(job)
        if recording is None:
            return None
        parameters = Artefact(
            run_id=_run_of(job),
            role=PARAMETERS,
            version=1,
            content=dict(recording.parameters(job)),
            created_at=job.created_at,
        )
        run = Run(
            id=_run_of(job),
            owner=job.owner,
            kind=job.pipeline,
            title=recording.title(job),
            status=TransformStatus.RUNNING,
            transform_id=transform_id_of(job),
            versions={PARAMETERS: 1},
            digests={PARAMETERS: parameters.digest},
            revision=1,
            created_at=job.created_at,
            updated_at=job.created_at,
        )
        transform = _transform(job, inputs={PARAMETERS: parameters.ref}, outputs={})
        return self._runs.prepare_creation(run, transform, (parameters,))

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """The run of a job that ends or runs anew, `job` being as it will be then.

        None when the run knows all that already, was deleted, or is none of this job's.
        """
        recording = self._recording(job)
        run = self._runs.get(_run_of(job)) if recording else None
        before = self._runs.transform(run.id, transform_id_of(job)) if run else None
        if recording is None or run is None or before is None or run.deleting:
            return None
        made = self._made(recording, job) if job.status.ended else {}
        artefacts = tuple(_new_versions(run, before, job, made))
        outputs = {**before.outputs, **{each.role: each.ref for each in artefacts}}
        transform = _transform(job, inputs=before.inputs, outputs=outputs)
        if transform == before and not artefacts:
            return None
        moved = run.model_copy(
            update={
                "status": transform.status,
                "transform_id": transform.id,
                "versions": {**run.versions, **{each.role: each.version for each in artefacts}},
                "digests": {**run.digests, **{each.role: each.digest for each in artefacts}},
                "revision": run.revision + 1,
                "updated_at": job.updated_at,
            }
        )
        return self._runs.prepare_revision(moved, transform, artefacts)

    def _recording(self, job: Job) -> RunRecording | None:
        pipeline = self._pipelines.get(job.pipeline)
        # Jobs made before their pipeline kept runs have none.
        return pipeline.recording if pipeline is not None and job.links.run_id is not None else None

    def _made(self, recording: RunRecording, job: Job) -> Mapping[str, Mapping[str, Any]]:
        latest = latest_checkpoint(job)
        if job.status is JobStatus.COMPLETED and latest is not None:
            return recording.outputs(job, self._checkpoints.get(job.id, *latest).output, ())
        items = read_transcript(self._log, job.id, consistent=True).items
        return recording.outputs(job, None, tuple(items.values()))


def transform_id_of(job: Job) -> str:
    """One transform a job, however often the job is resumed."""
    return f"tfm_{job.id.removeprefix('job_')}"


def _new_versions(run: Run, before: Transform, job: Job, made: Mapping[str, Mapping[str, Any]]) -> Iterator[Artefact]:
    """What the job has made beyond what it had made by its last end."""
    for role, content in made.items():
        version = run.versions.get(role, 0)
        artefact = Artefact(
            run_id=run.id,
            role=role,
            version=version + 1,
            transform_id=before.id,
            content=dict(content),
            created_at=job.updated_at,
        )
        made_before = before.outputs.get(role) == artefact_ref(role, version)
        if not (made_before and run.digests.get(role) == artefact.digest):
            yield artefact


def _run_of(job: Job) -> str:
    return str(job.links.run_id)


def _transform(job: Job, *, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Transform:
    return Transform(
        id=transform_id_of(job),
        run_id=_run_of(job),
        kind=job.pipeline,
        status=STATUS[job.status],
        job_id=job.id,
        model=job.model,
        agent=job.agent,
        retry_count=job.retry_count,
        max_retries=job.max_retries,
        inputs=dict(inputs),
        outputs=dict(outputs),
        failure=job.failure.model_copy(update={"stack_trace": None}) if job.failure else None,
        created_at=job.created_at,
        ended_at=job.ended_at,
    )
