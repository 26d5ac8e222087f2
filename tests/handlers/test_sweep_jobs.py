"""The sweep ends live jobs whose execution has ended or never started."""

from __future__ import annotations

import json

from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, wait_until


def _moved_long_ago(stack: LocalStack, job_id: str, execution_arn: str) -> None:
    """Set the job's last transition to an earlier time, instead of waiting a minute, and set its execution."""
    database = stack.client("dynamodb")
    database.update_item(
        TableName="millrace-JobsTable",
        Key={"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "JOB"}},
        UpdateExpression="SET updatedAt = :then, executionArn = :arn",
        ExpressionAttributeValues={":then": {"S": "2026-01-01T00:00:00Z"}, ":arn": {"S": execution_arn}},
    )


def test_the_sweep_fails_a_stuck_job_and_its_watchers_get_the_error(stack: LocalStack, user: ApiUser) -> None:
    running, done = user.new_job("hang_after=0"), user.new_job(AT_ONCE)
    wait_until(lambda: user.job(running)["stage"])
    user.ended(done)
    _moved_long_ago(stack, running, user.job(running)["executionArn"])

    def stuck_until_swept() -> str | None:
        """Return a stuck job that is in the sweep's report; None if the scheduled sweep has found it before."""
        stuck = user.new_job("hang_after=0")
        wait_until(lambda: user.job(stuck)["stage"])
        _moved_long_ago(stack, stuck, f"{user.job(stuck)['executionArn']}-never-started")
        answer = stack.client("lambda").invoke(FunctionName="millrace-sweep_jobs", Payload=b"{}")
        report = json.loads(answer["Payload"].read())
        assert running not in report["ended"], report  # tests share the stack, so there may be others
        return stuck if stuck in report["ended"] else None

    stuck = wait_until(stuck_until_swept)
    assert stuck is not None
    assert user.job(stuck)["status"] == "failed"
    assert user.job(stuck)["failure"]["code"] == "EXECUTION_NOT_STARTED"
    assert user.watch(stuck)[-1].type == "error"
    assert user.job(running)["status"] == "in_progress"
    assert user.cancel(running).status_code == 200


def test_a_stopped_execution_ends_its_job_without_a_sweep(stack: LocalStack, user: ApiUser) -> None:
    job_id = user.new_job("pause_after=5, token_ms=0")
    states = stack.client("stepfunctions")
    wait_until(lambda: user.job(job_id)["stage"])

    states.stop_execution(executionArn=user.job(job_id)["executionArn"], error="Stopped", cause="in the console")
    user.release(job_id)  # moto ends a stopped execution when its task has returned

    assert user.ended(job_id)["failure"]["code"] == "WORKER_LOST"
    assert user.watch(job_id)[-1].type == "error"
