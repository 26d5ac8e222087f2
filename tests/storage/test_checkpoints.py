"""The CheckpointStore, in memory and on DynamoDB and S3, returns each attempt's output."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef, Job
from shared.storage import items
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


def test_an_output_that_an_eventually_consistent_read_misses_is_found(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports, job, kept = adapters(server), a_job(), StageOutput(output={}, text="x")
    ports.checkpoints.put(job, "draft", "fence", kept)
    client, reads = server.dynamodb, list[bool]()

    def stale(**request: Any) -> dict[str, Any]:
        reads.append(request["ConsistentRead"])
        return dict(client.get_item(**request)) if request["ConsistentRead"] else {}

    monkeypatch.setattr(items, "dynamodb", lambda: SimpleNamespace(get_item=stale))
    assert ports.checkpoints.get(job.id, "draft", ref("fence")) == kept
    assert reads == [False, True]


def test_only_a_large_output_is_stored_in_the_bucket(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    ports.checkpoints.put(job, "draft", "small", StageOutput(output={}, text="x" * 1000))
    ports.checkpoints.put(job, "draft", "large", StageOutput(output={}, text="x" * 200_000))
    found = server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"jobs/{job.id}/")
    assert [each["Key"] for each in found["Contents"]] == [f"jobs/{job.id}/checkpoint-draft-large"]


def stored_output(server: AwsServer, job: Job, fence: str) -> str:
    key = {"PK": {"S": f"JOB#{job.id}"}, "SK": {"S": f"CKPT#draft#{fence}"}}
    item = server.dynamodb.get_item(TableName=server.table, Key=key, ConsistentRead=True)["Item"]
    return str(item["output"]["S"])


def test_an_output_that_repeats_its_text_takes_less_than_half_of_its_size(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    text = " ".join(f"{number * 7919:08}" for number in range(400))
    kept = StageOutput(output={"poem": text}, text=text)
    ports.checkpoints.put(job, "draft", "fence", kept)
    assert ports.checkpoints.get(job.id, "draft", ref("fence")) == kept
    assert len(stored_output(server, job, "fence")) < len(kept.model_dump_json()) / 2


def test_an_output_is_stored_as_it_is_if_compression_would_make_it_longer(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    characters = "".join(map(chr, range(33, 127))).replace('"', "").replace("\\", "")
    noise = "".join(random.Random(1).choices(characters, k=2000))
    for fence, text in {"short": "short", "noise": noise}.items():
        kept = StageOutput(output={}, text=text)
        ports.checkpoints.put(job, "draft", fence, kept)
        assert ports.checkpoints.get(job.id, "draft", ref(fence)) == kept
        assert stored_output(server, job, fence) == "text:" + kept.model_dump_json()


def test_an_output_that_an_earlier_version_stored_is_read(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    kept = StageOutput(output={"a": 1}, text="é" * 2000)
    item = {"PK": f"JOB#{job.id}", "SK": "CKPT#draft#fence", "output": "text:" + kept.model_dump_json()}
    server.dynamodb.put_item(TableName=server.table, Item={name: {"S": value} for name, value in item.items()})
    assert ports.checkpoints.get(job.id, "draft", ref("fence")) == kept


def test_an_output_is_stored_until_its_job_has_expired(server: AwsServer) -> None:
    ports, job = adapters(server), a_job()
    ports.checkpoints.put(job, "draft", "fence", StageOutput(output={}, text=""))
    key = {"PK": {"S": f"JOB#{job.id}"}, "SK": {"S": "CKPT#draft#fence"}}
    item = server.dynamodb.get_item(TableName=server.table, Key=key, ConsistentRead=True)["Item"]
    assert item["expiresAt"] == {"N": str(job.expires_at + 900)}


def test_erasing_deletes_the_outputs_of_one_job_also_those_in_the_bucket(server: AwsServer) -> None:
    ports, job, other = adapters(server), a_job(), a_job()
    output = StageOutput(output={}, text="x" * 200_000)
    for each in (job, other):
        ports.checkpoints.put(each, "draft", "fence", output)
    for _ in range(2):
        ports.checkpoints.erase(job.id)
        with pytest.raises(KeyError):
            ports.checkpoints.get(job.id, "draft", ref("fence"))
        assert server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"jobs/{job.id}/")["KeyCount"] == 0
    assert ports.checkpoints.get(other.id, "draft", ref("fence")) == output
