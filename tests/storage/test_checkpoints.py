"""The CheckpointStore, in memory and on DynamoDB and S3, returns each attempt's output."""

from __future__ import annotations

import pytest

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef
from tests.fakes.core import a_job
from tests.storage.ports import AwsServer, Ports, adapters


def ref(fence: str) -> CheckpointRef:
    return CheckpointRef(seq=1, fence=fence)


@pytest.mark.parametrize("characters", [0, 10, 99_000, 400_000])
def test_the_store_returns_an_output_of_any_size_unchanged(ports: Ports, characters: int) -> None:
    job = a_job()
    kept = StageOutput(output={"nested": {"list": [1, 2.5, None, "ü"]}}, text="é" * characters)
    ports.checkpoints.put(job, "draft", "fence", kept)
    assert ports.checkpoints.get(job.id, "draft", ref("fence")) == kept


def test_the_store_keeps_the_output_of_each_attempt_separately(ports: Ports) -> None:
    job = a_job()
    for fence in ("one", "two"):
        ports.checkpoints.put(job, "draft", fence, StageOutput(output={"by": fence}, text=""))
    assert ports.checkpoints.get(job.id, "draft", ref("one")).output == {"by": "one"}
    assert ports.checkpoints.get(job.id, "draft", ref("two")).output == {"by": "two"}


def test_a_missing_checkpoint_is_a_defect(ports: Ports) -> None:
    with pytest.raises(KeyError):
        ports.checkpoints.get(a_job().id, "draft", ref("fence"))


def test_only_a_large_output_is_stored_in_the_bucket(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    ports.checkpoints.put(job, "draft", "small", StageOutput(output={}, text="x" * 1000))
    ports.checkpoints.put(job, "draft", "large", StageOutput(output={}, text="x" * 200_000))
    found = server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"jobs/{job.id}/")
    assert [each["Key"] for each in found["Contents"]] == [f"jobs/{job.id}/checkpoint-draft-large"]
