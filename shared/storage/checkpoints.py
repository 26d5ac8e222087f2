"""Store checkpoints in DynamoDB: one item per attempt that finished a stage."""

from __future__ import annotations

import base64
import zlib

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef, Job
from shared.storage import keys
from shared.storage.attributes import to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.expiry import stored_until
from shared.storage.items import query_items, read_older_item
from shared.storage.large_texts import INLINE, LargeTexts

COMPRESSED = "deflate:"
"""Prefix of an output in its item that is compressed: the base64 text of its zlib stream."""

SHORTEST_COMPRESSED = 1024
"""Length in bytes below which compression would not save a write unit."""


class DynamoCheckpointStore:
    """The CheckpointStore on a DynamoDB table, with large outputs in S3; the port describes the methods."""

    def __init__(self, table: str, large_texts: LargeTexts) -> None:
        self._table = table
        self._large_texts = large_texts

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None:
        stored = self._large_texts.store(job.id, f"checkpoint-{stage}-{fence}", output.model_dump_json())
        values = {"output": _compressed(stored), "expiresAt": stored_until(job.expires_at)}
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=to_item({**_key(job.id, stage, fence), **values}))

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput:
        item = read_older_item(self._table, _key(job_id, stage, ref.fence))
        if item is None:
            raise KeyError(f"{job_id} has no checkpoint {ref.fence} of {stage}")
        return StageOutput.model_validate_json(self._load(item["output"]["S"]))

    def _load(self, stored: str) -> str | bytes:
        if stored.startswith(COMPRESSED):
            return zlib.decompress(base64.b64decode(stored[len(COMPRESSED) :]))
        return self._large_texts.load(stored)

    def erase(self, job_id: str) -> None:
        found = query_items(
            self._table,
            "PK = :pk AND begins_with(SK, :prefix)",
            {":pk": keys.job_partition(job_id), ":prefix": keys.CHECKPOINT_PREFIX},
            ConsistentRead=True,
            ProjectionExpression="PK, SK",
        )
        for key in found:
            with storage_faults():
                dynamodb().delete_item(TableName=self._table, Key=key)
        self._large_texts.delete_all(job_id, names="checkpoint-")


def _compressed(stored: str) -> str:
    """Return a text of the item in the shorter form, because each kilobyte is a write unit.

    An output often repeats the text of the log, which is stored with it. The first level takes 0.1 ms for 8 kB.
    """
    if len(stored) < SHORTEST_COMPRESSED or not stored.startswith(INLINE):
        return stored
    text = stored[len(INLINE) :].encode()
    packed = COMPRESSED + base64.b64encode(zlib.compress(text, level=1)).decode()
    return packed if len(packed) < len(INLINE) + len(text) else stored


def _key(job_id: str, stage: str, fence: str) -> dict[str, str]:
    return {"PK": keys.job_partition(job_id), "SK": keys.checkpoint(stage, fence)}
