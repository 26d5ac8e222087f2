"""archive_job handles its event of `events/archive/`."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any

import pytest

from local.stack import ROOT, LocalStack
from local.template.template import Template
from shared.jobs.ids import new_job_id
from tests.fixtures.functions import JOB_ID, Handle, load_event


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """The event's records, of a job of this test only: all tests share one bucket."""
    text = json.dumps(load_event("archive_job.cancelled")["Records"])
    return list(json.loads(text.replace(JOB_ID, new_job_id(1_795_253_400_000))))


def objects(stack: LocalStack, prefix: str, containing: str) -> list[Any]:
    """Return the JSON lines of the stored objects under the prefix that contain this text."""
    (bucket,) = Template(ROOT / "template.yaml").buckets
    found = []
    for each in stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
        text = gzip.decompress(stack.client("s3").get_object(Bucket=bucket, Key=each["Key"])["Body"].read()).decode()
        found += [json.loads(line) for line in text.splitlines() if containing in line]
    return found


def test_an_ended_job_is_archived_and_counted(handle: Handle, stack: LocalStack, records: list[dict[str, Any]]) -> None:
    job_id = records[0]["dynamodb"]["NewImage"]["id"]["S"]

    assert handle("archive_job.cancelled", Records=records) == {"batchItemFailures": []}

    (archived,) = objects(stack, "archive/standard/", job_id)
    assert (archived["job"]["status"], archived["input"]["pageOrComponent"]) == ("cancelled", "Checkout")
    (line,) = objects(stack, "usage/dt=2026-11-21/", job_id)
    assert (line["status"], line["seconds"], line["inputTokens"]) == ("cancelled", 3.0, 0)
    assert "user-1" not in json.dumps(line)


def test_a_job_that_cannot_be_read_holds_up_no_other(
    handle: Handle, stack: LocalStack, records: list[dict[str, Any]]
) -> None:
    broken = copy.deepcopy(records[0])
    broken["eventID"] = "broken"
    broken["dynamodb"]["SequenceNumber"] = "99"
    del broken["dynamodb"]["NewImage"]["owner"]

    response = handle("archive_job.cancelled", Records=[broken, *records])

    assert response == {"batchItemFailures": [{"itemIdentifier": "99"}]}
    assert objects(stack, "archive/standard/", records[0]["dynamodb"]["NewImage"]["id"]["S"])
