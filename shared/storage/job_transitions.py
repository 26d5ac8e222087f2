"""Read changes of jobs' statuses from the records of a DynamoDB stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from shared.jobs.job import Job, JobStatus
from shared.jobs.transitions import JobTransition
from shared.storage import keys
from shared.storage.attributes import from_attribute
from shared.storage.job_compute import compute_in

_ATTRIBUTES = tuple(to_camel(name) for name in Job.model_fields)
"""The attributes of a job's item that are fields of the job."""


class UnreadableJob(ValueError):
    """The item of a job has no valid job. The message names the job, the fields and the rules, but no values."""


def transition_in(record: Mapping[str, Any]) -> JobTransition | None:
    """Return the change of a job's status that a record of the stream of JobsTable contains.

    None for every other record: an item that is not a job, a deleted item, or a change that kept the status. The stream
    must have both images. An item that was made by hand may lack what has a default, and attributes that no field of a
    job has are ignored: a later version may have written them.

    Raises:
        UnreadableJob: the item is a job's and its status has changed, but the job is not valid.
    """
    change: Mapping[str, Any] = record.get("dynamodb") or {}
    image: Mapping[str, Any] | None = change.get("NewImage")
    job_id = _job_id(change.get("Keys") or {})
    if job_id is None or image is None:
        return None
    old: Mapping[str, Any] | None = change.get("OldImage")
    try:
        before = None if old is None else JobStatus(_status(old))
        if before is not None and _status(image) == before:
            return None
        moment = _moment(change.get("ApproximateCreationDateTime"))
        job = _job(job_id, image, moment)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise UnreadableJob(f"the item of job {job_id} is not valid: {faults}") from None
    except (TypeError, ValueError) as error:
        raise UnreadableJob(f"the item of job {job_id} is not valid: {type(error).__name__}") from None
    return JobTransition(job, before, job.updated_at, _record_id(record, change))


def _job_id(key: Mapping[str, Any]) -> str | None:
    """Return the id of the job whose item has this key; None if the item is not a job."""
    partition, sort = (str((key.get(name) or {}).get("S", "")) for name in ("PK", "SK"))
    prefix = keys.job_partition("")
    return partition.removeprefix(prefix) if sort == keys.JOB and partition.startswith(prefix) else None


def _status(image: Mapping[str, Any]) -> str:
    stored = image.get("status")
    return str(from_attribute(stored)) if stored else JobStatus.PENDING


def _job(job_id: str, image: Mapping[str, Any], moment: datetime | None) -> Job:
    values = {name: from_attribute(image[name]) for name in _ATTRIBUTES if name in image}
    if moment is not None:
        values = {"createdAt": moment, "updatedAt": moment, **values}
    return Job.model_validate({"id": job_id, **values, "compute": compute_in(image)})


def _moment(stamp: Any) -> datetime | None:
    """Return the time of a record. Lambda and DynamoDB Streams give Unix seconds, boto3 a datetime."""
    if isinstance(stamp, datetime):
        return stamp
    return datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int | float) else None


def _record_id(record: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    return str(record.get("eventID") or change.get("SequenceNumber", ""))
