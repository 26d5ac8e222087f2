"""Records as Lambda delivers them: of the stream of JobsTable, and of a queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.jobs.job import Job, JobStatus
from shared.storage.attributes import Item, to_item


def image_of(job: Job) -> Item:
    """Return the job's item, as a stream's record has it."""
    values = job.model_dump(mode="json", exclude_none=True)
    return to_item({"PK": f"JOB#{job.id}", "SK": "JOB", "ownerSort": job.id, "live": "LIVE#0", **values})


def a_record(job: Job, *, before: JobStatus | None, record_id: str = "record-1", sequence: int = 100) -> dict[str, Any]:
    """Return the record of a change of the job's status from `before`; None: the job was created."""
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": int(job.updated_at.timestamp()),
        "Keys": to_item({"PK": f"JOB#{job.id}", "SK": "JOB"}),
        "NewImage": image_of(job),
        "SequenceNumber": str(sequence),
        "SizeBytes": 1000,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if before is not None:
        change["OldImage"] = image_of(job.model_copy(update={"status": before}))
    return {
        "eventID": record_id,
        "eventName": "INSERT" if before is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/jobs/stream/2026-11-26T00:00:00.000",
    }


def a_message(body: Mapping[str, Any] | str, *, message_id: str = "message-1", **attributes: str) -> dict[str, Any]:
    """Return the record of a message with this body, which is received for the first time."""
    return {
        "messageId": message_id,
        "receiptHandle": "handle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795694400000", **attributes},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
        "awsRegion": "us-east-1",
    }
