"""Every role is allowed what its code uses, and nothing else: docs/decisions/0013-least-privilege.md."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.stack import ROOT
from local.template.event_sources import StreamSource
from local.template.template import Template
from tests.permissions.scenario import Record, as_record, missing, run_scenario
from tools.validate_template.permission_rules import RECORD, check_permissions
from tools.validate_template.sam_environment import BIN
from tools.validate_template.translation import translate

TEMPLATE = "template.yaml"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str], list[str]]:
    """What the comparison finds in a copy of the template with one piece of its text replaced."""

    def edit(old: str, new: str) -> list[str]:
        text = (ROOT / TEMPLATE).read_text()
        assert old in text
        (tmp_path / TEMPLATE).write_text(text.replace(old, new, 1))
        shutil.copytree(ROOT / "statemachines", tmp_path / "statemachines")
        (tmp_path / "docs").mkdir()
        shutil.copy(ROOT / RECORD, tmp_path / RECORD)
        return [str(finding) for finding in check_permissions(tmp_path / TEMPLATE)]

    return edit


def test_what_every_function_uses_of_aws_is_what_is_recorded() -> None:
    if (lacking := missing()) and os.environ.get("CI") != "true":
        pytest.skip("; ".join(lacking))
    accesses = run_scenario()

    assert accesses["refused"] == []
    used, recorded = _lines(as_record(accesses)), _lines(json.loads((ROOT / RECORD).read_text()))
    assert (sorted(used - recorded), sorted(recorded - used)) == ([], []), "make permissions"


def _lines(record: Record) -> set[str]:
    """Return a line for each use, so that a difference names the role, the action and the resource."""
    return {f"{role} {action} {arn}" for role, uses in record.items() for action, arns in uses.items() for arn in arns}


def test_the_template_allows_what_is_recorded_and_nothing_else() -> None:
    assert check_permissions(ROOT / TEMPLATE) == []


CASES = {
    "an action taken away": (
        "Action: [dynamodb:GetItem, dynamodb:Query, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem]",
        "Action: [dynamodb:GetItem, dynamodb:Query, dynamodb:PutItem, dynamodb:UpdateItem]",
        "CreateJobFunction.Policies: does not allow dynamodb:DeleteItem on table/millrace-JobsTable, which its code "
        "uses",
    ),
    "an action added": (
        "Action: [dynamodb:BatchGetItem]",
        "Action: [dynamodb:BatchGetItem, dynamodb:DeleteItem]",
        "ListJobsFunction.Policies: allows dynamodb:DeleteItem on table/millrace-JobsTable, which its code does not "
        "use",
    ),
    "an index taken away": (
        "${JobsTable.Arn}/index/JobList",
        "${JobsTable.Arn}/index/LiveJobs",
        "ListJobsFunction.Policies: does not allow dynamodb:Query on table/millrace-JobsTable/index/JobList, which its "
        "code uses",
    ),
    "every index": (
        "${JobsTable.Arn}/index/JobList",
        "${JobsTable.Arn}/index/*",
        "ListJobsFunction.Policies: allows dynamodb:Query on table/millrace-JobsTable/index/LiveJobs, which its code "
        "does not use",
    ),
    "a whole bucket": (
        "${ArtefactBucket.Arn}/jobs/*",
        "${ArtefactBucket.Arn}/*",
        "GetJobFunction.Policies: allows s3:GetObject on millrace-artefactbucket/*, which its code does not use",
    ),
    "another folder": (
        "${ArtefactBucket.Arn}/jobs/*",
        "${ArtefactBucket.Arn}/runs/*",
        "GetJobFunction.Policies: does not allow s3:GetObject on millrace-artefactbucket/jobs/*, which its code uses",
    ),
    "every state machine": (
        "Resource: !Ref IdeationStateMachine\n",
        "Resource: !Sub arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${AWS::StackName}-*\n",
        "CreateIdeationFunction.Policies: allows states:StartExecution on stateMachine:millrace-suggestion, which its "
        "code does not use",
    ),
    "another secret": (
        "Resource: !Ref TicketSecret",
        "Resource: !Ref ModelSecret",
        "CreateStreamTicketFunction.Policies: allows secretsmanager:GetSecretValue on secret:millrace-ModelSecret, "
        "which its code does not use",
    ),
    "a stage its state machine may not call": (
        "                - !GetAtt RecordFailureFunction.Arn\n",
        "",
        "IdeationStateMachine.Policies: does not allow lambda:InvokeFunction on function:millrace-record_failure, "
        "which its code uses",
    ),
    "another's stage": (
        "                - !GetAtt RecordFailureFunction.Arn\n",
        "                - !GetAtt RecordFailureFunction.Arn\n                - !GetAtt SweepJobsFunction.Arn\n",
        "IdeationStateMachine.Policies: allows lambda:InvokeFunction on function:millrace-sweep_jobs, which its code "
        "does not use",
    ),
    "the same twice": (
        "Action: [dynamodb:BatchGetItem]",
        "Action: [dynamodb:BatchGetItem, dynamodb:BatchGetItem]",
        "ListJobsFunction.Policies: allows dynamodb:BatchGetItem on table/millrace-JobsTable twice",
    ),
    "a function nobody has recorded": (
        "  GetAgentFunction:\n",
        "  ReadAgentFunction:\n",
        "ReadAgentFunction.Policies: cannot be judged: docs/permissions.json does not have it: make permissions",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_comparison_finds(case: str, edited: Callable[[str, str], list[str]]) -> None:
    old, new, expected = CASES[case]

    assert expected in edited(old, new)


def test_the_comparison_asks_for_its_record(tmp_path: Path) -> None:
    shutil.copy(ROOT / TEMPLATE, tmp_path)

    assert [str(finding) for finding in check_permissions(tmp_path / TEMPLATE)] == [
        "docs/permissions.json: is missing: make permissions"
    ]


@pytest.fixture(scope="module")
def translated() -> dict[str, Any]:
    """The resources that SAM makes of the template, of which some roles and policies are its own work."""
    if not (BIN / "python").exists():
        reason = ".venv-sam is missing: make .venv-sam/.synced"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    translation = translate(ROOT / TEMPLATE)
    assert translation.text is not None, translation.objections
    return dict(json.loads(translation.text)["Resources"])


def test_each_schedule_may_invoke_its_function_and_nothing_else(translated: dict[str, Any]) -> None:
    schedules = [each["Properties"] for each in translated.values() if each["Type"] == "AWS::Scheduler::Schedule"]
    invoked = {each["Target"]["Arn"]["Fn::GetAtt"][0] for each in schedules}
    assert invoked == {"SweepDeliveriesFunction", "SweepJobsFunction", "SweepProjectsFunction", "SweepSessionsFunction"}
    for schedule in schedules:
        role = translated[schedule["Target"]["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": ["scheduler.amazonaws.com"]}
        statements = [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]
        assert "ManagedPolicyArns" not in role
        assert [(each["Action"], each["Resource"]) for each in statements] == [
            ("lambda:InvokeFunction", schedule["Target"]["Arn"])
        ]


OF_EVERY_FUNCTION = {"service-role/AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
STREAMS = "service-role/AWSLambdaDynamoDBExecutionRole"
QUEUES = "service-role/AWSLambdaSQSQueueExecutionRole"
GIVEN_UP = {"SweepDeliveriesFunction", "SweepJobsFunction", "SweepProjectsFunction", "SweepSessionsFunction"}
"""The functions whose own queue gets the events that Lambda gives up."""


def test_sam_adds_to_a_role_only_what_lambda_needs_to_invoke_the_function(translated: dict[str, Any]) -> None:
    """Lambda reads streams and queues, and writes to queues of what it gives up, with the role of the function."""
    sources = {source.logical_id: source for source in Template(ROOT / TEMPLATE).event_sources}
    for logical_id in Template(ROOT / TEMPLATE).of_type("AWS::Serverless::Function"):
        role = translated[f"{logical_id}Role"]["Properties"]
        added = {arn.partition(":policy/")[2] for arn in role["ManagedPolicyArns"]}
        source = sources.get(logical_id)
        reading = set() if source is None else {STREAMS if isinstance(source, StreamSource) else QUEUES}
        assert added == OF_EVERY_FUNCTION | reading, logical_id
        sending = {
            json.dumps(statement["Resource"])
            for policy in role.get("Policies") or ()
            if policy["PolicyName"].endswith("SQSPolicy")
            for statement in policy["PolicyDocument"]["Statement"]
        }
        assert all("DeadLetters" in each for each in sending), logical_id
        assert len(sending) == (logical_id in GIVEN_UP or isinstance(source, StreamSource)), logical_id
