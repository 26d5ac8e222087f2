"""The CheckpointStore, in memory and on DynamoDB and S3."""

from __future__ import annotations

import pytest

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef
from tests.fakes.core import a_job
from tests.storage.ports import AwsServer, Ports, adapters


def ref(fence: str) -> CheckpointRef:
    return CheckpointRef(seq=1, fence=fence)


@pytest.mark.parametrize("characters", [0, 10, 99_000, 400_000])
def test_an_output_of_any_size_comes_back_as_it_was_kept(ports: Ports, characters: int) -> None:
    job = a_job()
    kept = StageOutput(output={"nested": {"list": [1, 2.5, None, "ü"]}}, text="é" * characters)
    ports.checkpoints.put(job, "draft", "fence", kept)
    assert ports.checkpoints.get(job.id, "draft", ref("fence")) == kept


def test_each_attempts_output_is_kept_apart(ports: Ports) -> None:
    job = a_job()
    for fence in ("one", "two"):
        ports.checkpoints.put(job, "draft", fence, StageOutput(output={"by": fence}, text=""))
    assert ports.checkpoints.get(job.id, "draft", ref("one")).output == {"by": "one"}
    assert ports.checkpoints.get(job.id, "draft", ref("two")).output == {"by": "two"}


def test_a_checkpoint_that_nobody_kept_is_a_defect_and_no_empty_output(ports: Ports) -> None:
    with pytest.raises(KeyError):
        ports.checkpoints.get(a_job().id, "draft", ref("fence"))


def test_only_a_large_output_is_in_the_bucket(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    ports.checkpoints.put(job, "draft", "small", StageOutput(output={}, text="x" * 1000))
    ports.checkpoints.put(job, "draft", "large", StageOutput(output={}, text="x" * 200_000))
    found = server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"jobs/{job.id}/")
    assert [each["Key"] for each in found["Contents"]] == [f"jobs/{job.id}/checkpoint-draft-large"]
