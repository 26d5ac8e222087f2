"""Record jobs in their runs: prepare the run's writes for the transaction of each transition that changes the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.ids import ulid_of
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
"""The status of a transform for each status of its job."""


class RunRecorder:
    """Prepare the side writes of jobs whose pipeline records runs."""

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
        """Prepare the writes of a new run, with its first transform and its parameters.

        Return None if the pipeline records no runs.
        """
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
        """Prepare the writes that record an end or a resumption. `job` is the job after the transition.

        Return None if the pipeline records no runs, the run was deleted, or the run already records this state.
        """
        recording = self._recording(job)
        run = self._runs.get(_run_of(job)) if recording else None
        if recording is None or run is None or run.deleting:
            return None
        before = self._runs.transform(run.id, transform_id_of(job))
        if before is None:
            return None
        contents = self._contents(recording, job) if job.status.ended else {}
        artefacts = tuple(_new_versions(run, before, job, contents))
        outputs = {**before.outputs, **{each.role: each.ref for each in artefacts}}
        transform = _transform(job, inputs=before.inputs, outputs=outputs)
        if transform == before and not artefacts:
            return None
        revised = run.model_copy(
            update={
                "status": transform.status,
                "transform_id": transform.id,
                "versions": {**run.versions, **{each.role: each.version for each in artefacts}},
                "digests": {**run.digests, **{each.role: each.digest for each in artefacts}},
                "revision": run.revision + 1,
                "updated_at": job.updated_at,
            }
        )
        return self._runs.prepare_revision(revised, transform, artefacts)

    def _recording(self, job: Job) -> RunRecording | None:
        pipeline = self._pipelines.get(job.pipeline)
        # A job from before its pipeline recorded runs has no run id.
        return pipeline.recording if pipeline is not None and job.links.run_id is not None else None

    def _contents(self, recording: RunRecording, job: Job) -> Mapping[str, Mapping[str, Any]]:
        """Return the contents of the ended job's artefacts by role."""
        latest = latest_checkpoint(job)
        if job.status is JobStatus.COMPLETED and latest is not None:
            return recording.outputs(job, self._checkpoints.get(job.id, *latest).output, ())
        items = read_transcript(self._log, job.id, consistent=True).items
        return recording.outputs(job, None, tuple(items.values()))


def transform_id_of(job: Job) -> str:
    """Return the id of a job's transform: one per job, also if the job is resumed."""
    return f"tfm_{ulid_of(job.id)}"


def _new_versions(
    run: Run, before: Transform, job: Job, contents: Mapping[str, Mapping[str, Any]]
) -> Iterator[Artefact]:
    """Yield an artefact for each content that the job's last end did not record."""
    for role, content in contents.items():
        version = run.versions.get(role, 0)
        artefact = Artefact(
            run_id=run.id,
            role=role,
            version=version + 1,
            transform_id=before.id,
            content=dict(content),
            created_at=job.updated_at,
        )
        recorded = before.outputs.get(role) == artefact_ref(role, version)
        if not (recorded and run.digests.get(role) == artefact.digest):
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
