"""Executions, in memory and on Step Functions, are started once and stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.jobs.executions import ExecutionNotStarted
from shared.jobs.job import Job
from shared.storage import aws
from shared.storage.executions import StepFunctionsExecutions
from tests.api_user import wait_until
from tests.fakes.core import a_job
from tests.storage.ports import AwsServer, Ports, adapters


def test_a_job_that_is_started_twice_has_one_execution(ports: Ports) -> None:
    job = a_job()
    ports.executions.start(job)
    ports.executions.start(job)


def test_a_stop_succeeds_with_or_without_an_execution(ports: Ports) -> None:
    job = a_job()
    job = job.model_copy(update={"execution_arn": ports.executions.arn_of(job)})
    ports.executions.stop(job)
    ports.executions.start(job)
    ports.executions.stop(job)
    ports.executions.stop(job)


def described(moto: AwsServer, arn: str) -> dict[str, Any]:
    return dict(moto.client("stepfunctions").describe_execution(executionArn=arn))


def test_an_execution_gets_only_the_jobs_id_and_generation(moto: AwsServer) -> None:
    executions, job = adapters(moto).executions, a_job(trace_id="Root=1-67891233-abcdef012345678912345678")
    executions.start(job)
    found = described(moto, executions.arn_of(job))
    assert json.loads(found["input"]) == {"jobId": job.id, "generation": 1}
    assert (found["name"], found["status"]) == (job.id, "RUNNING")


def test_each_generation_of_a_job_has_its_own_execution(moto: AwsServer) -> None:
    executions, job = adapters(moto).executions, a_job()
    again = job.model_copy(update={"generation": 2})
    executions.start(job)
    executions.start(again)
    assert described(moto, executions.arn_of(job))["status"] == "RUNNING"
    assert json.loads(described(moto, executions.arn_of(again))["input"])["generation"] == 2


def started_and_stopped(moto: AwsServer, job: Job) -> str:
    """Start the job's execution and stop it after its first state has begun, because moto ignores an earlier stop."""
    executions = adapters(moto).executions
    arn = executions.arn_of(job)
    executions.start(job)
    history = moto.client("stepfunctions").get_execution_history
    wait_until(lambda: any("StateEntered" in event["type"] for event in history(executionArn=arn)["events"]))
    executions.stop(job.model_copy(update={"execution_arn": arn}))
    wait_until(lambda: described(moto, arn)["status"] != "RUNNING")
    return arn


def test_a_stopped_execution_does_not_run(moto: AwsServer) -> None:
    assert described(moto, started_and_stopped(moto, a_job()))["status"] == "ABORTED"


def test_an_ended_execution_is_not_started_again(moto: AwsServer) -> None:
    job = a_job()
    arn = started_and_stopped(moto, job)
    adapters(moto).executions.start(job)
    assert described(moto, arn)["status"] == "ABORTED"


def test_a_refused_start_names_the_reason_of_step_functions(moto: AwsServer) -> None:
    with pytest.raises(ExecutionNotStarted, match="StateMachineDoesNotExist"):
        StepFunctionsExecutions(f"{moto.machine_prefix}no-such-").start(a_job())


def test_an_unreachable_engine_is_a_refused_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415

    class OutOfReach:
        def start_execution(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="http://nowhere")

        def stop_execution(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="http://nowhere")

    monkeypatch.setattr(aws, "client", lambda _service: OutOfReach())
    executions = StepFunctionsExecutions("arn:aws:states:eu-west-1:1:stateMachine:stack-")
    with pytest.raises(ExecutionNotStarted, match="EndpointConnectionError"):
        executions.start(a_job())
    executions.stop(a_job())


def test_the_arn_of_an_execution_is_known_before_it_runs() -> None:
    job = a_job()
    arn = StepFunctionsExecutions("arn:aws:states:eu-west-1:1:stateMachine:stack-").arn_of(job)
    assert arn == f"arn:aws:states:eu-west-1:1:execution:stack-poem:{job.id}"
