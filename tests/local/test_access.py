"""The local stack refuses what a role may not do, with the errors of AWS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.aws.credentials import DUMMY_CREDENTIALS
from local.stack import LocalStack
from local.template.intrinsics import REGION
from tests.api_user import ended_execution
from tests.patience import ALLOWANCE

HERE = Path(__file__).parent / "stack"
GRANT = "- { Effect: Allow, Action: [lambda:InvokeFunction], Resource: !GetAtt WorkFunction.Arn }"
POLICY = """
      Policies:
        - Version: "2012-10-17"
          Statement:
            - { Effect: Allow, Action: [dynamodb:PutItem], Resource: !GetAtt Things.Arn }
            - { Effect: Allow, Action: [s3:PutObject], Resource: !Sub "${Bucket.Arn}/mine/*" }
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The small stack. Its function `work` may write items and one folder; its state machine may call no function."""
    folder = shutil.copytree(HERE, tmp_path_factory.mktemp("small") / "stack")
    template = (folder / "template.yaml").read_text()
    assert GRANT in template
    template = template.replace(GRANT, "[]").replace("          Statement:\n            []", "          Statement: []")
    template = template.replace("      ReservedConcurrentExecutions: 3\n", POLICY.removeprefix("\n"))
    template += "\n  Bucket:\n    Type: AWS::S3::Bucket\n"
    (folder / "template.yaml").write_text(template)
    with LocalStack(template=folder / "template.yaml", allowance=ALLOWANCE) as running:
        yield running


def as_role(stack: LocalStack, service: str, role: str = "WorkFunctionRole") -> Any:
    credentials = {**DUMMY_CREDENTIALS, "aws_access_key_id": role}
    client: Any = boto3.client(service, region_name=REGION, endpoint_url=stack.aws_url, **credentials)  # type: ignore[call-overload]
    return client


THING = {"PK": {"S": "1"}, "SK": {"S": "1"}}


def test_a_granted_access_is_allowed_and_recorded(stack: LocalStack) -> None:
    as_role(stack, "dynamodb").put_item(TableName="millrace-Things", Item=THING)
    as_role(stack, "s3").put_object(Bucket="millrace-bucket", Key="mine/1", Body=b"")

    used = stack.accesses()["used"]
    assert ["WorkFunctionRole", "s3:PutObject", "arn:aws:s3:::millrace-bucket/mine/*"] in used
    assert [role for role, action, _ in used if action == "dynamodb:PutItem"] == ["WorkFunctionRole"]


def test_dynamodb_refuses_another_action(stack: LocalStack) -> None:
    with pytest.raises(ClientError) as refused:
        as_role(stack, "dynamodb").get_item(TableName="millrace-Things", Key=THING)

    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "WorkFunctionRole" in error["Message"]
    assert "dynamodb:GetItem on resource: arn:aws:dynamodb:" in error["Message"]


def test_a_transaction_is_refused_as_a_whole_if_one_part_is_not_granted(stack: LocalStack) -> None:
    key = {"PK": {"S": "2"}, "SK": {"S": "1"}}
    writes = [
        {"Put": {"TableName": "millrace-Things", "Item": key}},
        {"Delete": {"TableName": "millrace-Things", "Key": THING}},
    ]

    with pytest.raises(ClientError, match="dynamodb:DeleteItem"):
        as_role(stack, "dynamodb").transact_write_items(TransactItems=writes)

    assert "Item" not in stack.client("dynamodb").get_item(TableName="millrace-Things", Key=key)


def test_s3_refuses_another_folder(stack: LocalStack) -> None:
    with pytest.raises(ClientError) as refused:
        as_role(stack, "s3").put_object(Bucket="millrace-bucket", Key="yours/1", Body=b"")

    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_execution_whose_state_machine_may_not_call_its_stage_fails(stack: LocalStack) -> None:
    states = stack.client("stepfunctions")
    (machine,) = states.list_state_machines()["stateMachines"]

    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input='{"do": "succeed", "marker": null}'
    )
    arn = started["executionArn"]
    assert ended_execution(stack, arn)["status"] == "FAILED"
    assert ["WorkStateMachineRole", "lambda:InvokeFunction"] in [each[:2] for each in stack.accesses()["refused"]]


def test_a_caller_that_is_no_role_of_the_template_may_do_everything(stack: LocalStack) -> None:
    before = stack.accesses()

    stack.client("dynamodb").scan(TableName="millrace-Things")

    assert stack.accesses() == before
