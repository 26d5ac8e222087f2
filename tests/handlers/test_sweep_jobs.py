"""The scheduled sweep, over real executions."""

from __future__ import annotations

import json

from local.stack import LocalStack
from tests.api_user import AT_ONCE, ApiUser, wait_until


def _moved_long_ago(stack: LocalStack, job_id: str, execution_arn: str) -> None:
    """Turn back the time of the job's last move, instead of waiting a minute, and say which execution it has."""
    database = stack.client("dynamodb")
    database.update_item(
        TableName="millrace-JobsTable",
        Key={"PK": {"S": f"JOB#{job_id}"}, "SK": {"S": "JOB"}},
        UpdateExpression="SET updatedAt = :then, executionArn = :arn",
        ExpressionAttributeValues={":then": {"S": "2026-01-01T00:00:00Z"}, ":arn": {"S": execution_arn}},
    )


def test_a_job_whose_execution_is_gone_is_failed_and_its_watchers_are_told(stack: LocalStack, user: ApiUser) -> None:
    stuck, running, done = user.new_job("hang_after=0"), user.new_job("hang_after=0"), user.new_job(AT_ONCE)
    wait_until(lambda: user.job(stuck)["stage"] and user.job(running)["stage"])
    user.ended(done)
    own, another = (user.job(job_id)["executionArn"] for job_id in (running, stuck))
    _moved_long_ago(stack, running, own)
    _moved_long_ago(stack, stuck, f"{another}-never-started")

    answer = stack.client("lambda").invoke(FunctionName="millrace-sweep_jobs", Payload=b"{}")

    report = json.loads(answer["Payload"].read())

    assert report["ended"] == [stuck], report
    assert user.job(stuck)["failure"]["code"] == "EXECUTION_NOT_STARTED"
    assert user.watch(stuck)[-1].type == "error"
    assert user.job(running)["status"] == "in_progress"
    assert user.cancel(running).status_code == 200
