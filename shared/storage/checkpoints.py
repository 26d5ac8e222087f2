"""Store checkpoints in DynamoDB: one item per attempt that finished a stage."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import Clock
from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef, Job
from shared.storage import keys
from shared.storage.attributes import to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.items import read_item
from shared.storage.large_texts import LargeTexts

KEPT = timedelta(days=2)
"""The time after which DynamoDB may delete a checkpoint: a job runs for at most a day and is kept for at most a day."""


class DynamoCheckpointStore:
    """The CheckpointStore on a DynamoDB table, with large outputs in S3; the port describes the methods."""

    def __init__(self, table: str, large_texts: LargeTexts, *, clock: Clock) -> None:
        self._table = table
        self._large_texts = large_texts
        self._clock = clock

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None:
        stored = self._large_texts.store(job.id, f"checkpoint-{stage}-{fence}", output.model_dump_json())
        expires_at = int((self._clock() + KEPT).timestamp())
        with storage_faults():
            dynamodb().put_item(
                TableName=self._table,
                Item=to_item({**_key(job.id, stage, fence), "output": stored, "expiresAt": expires_at}),
            )

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput:
        item = read_item(self._table, _key(job_id, stage, ref.fence))
        if item is None:
            raise KeyError(f"{job_id} has no checkpoint {ref.fence} of {stage}")
        return StageOutput.model_validate_json(self._large_texts.load(item["output"]["S"]))


def _key(job_id: str, stage: str, fence: str) -> dict[str, str]:
    return {"PK": keys.job_partition(job_id), "SK": keys.checkpoint(stage, fence)}
