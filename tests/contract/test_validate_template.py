"""Each check of `make validate` finds what it is there for, in a template that is broken in this one way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.template.intrinsics import parse_yaml
from tools.validate_template.document import Document
from tools.validate_template.house_rules import check_house_rules
from tools.validate_template.sam_environment import BIN
from tools.validate_template.translated_lint import MOST_RESOURCES, count, too_many

ROOT = Path(__file__).parents[2]
TEMPLATE = "template.yaml"
SUGGESTION = "statemachines/suggestion.asl.yaml"
RESOURCES = 400
"""The most that the template's functions may make; every application that is added takes some."""


@pytest.fixture(scope="module")
def folders() -> list[str]:
    """The folders of the template's functions."""
    return [str(function.properties["CodeUri"]) for function in Document.read(ROOT / TEMPLATE).functions]


@pytest.fixture
def project(tmp_path: Path, folders: list[str]) -> Path:
    """A copy of what the checks look at, functions as empty files."""
    shutil.copy(ROOT / TEMPLATE, tmp_path)
    shutil.copytree(ROOT / "statemachines", tmp_path / "statemachines")
    shutil.copytree(ROOT / "events", tmp_path / "events")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "app.py").touch()
    return tmp_path


@pytest.fixture
def sam_environment() -> None:
    if not (BIN / "sam").exists():
        reason = ".venv-sam is missing: make .venv-sam/.synced"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def validate(template: Path, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """Exit status, and what each check printed."""
    finished = subprocess.run(
        [sys.executable, "-m", "tools.validate_template", str(template), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not finished.stderr
    said: dict[str, list[str]] = {}
    for line in finished.stdout.splitlines():
        check, _, finding = line.partition(": ")
        said.setdefault(check, []).append(finding)
    return finished.returncode, said


@pytest.mark.usefixtures("sam_environment")
def test_the_template_makes_no_more_resources_than_it_has_to() -> None:
    counted = re.match(r"(\d+) resources of at most 450 \(", count(ROOT / TEMPLATE))

    assert counted is not None
    assert int(counted[1]) <= RESOURCES


def test_too_many_resources_are_a_finding() -> None:
    assert too_many(MOST_RESOURCES, TEMPLATE) == []
    [finding] = too_many(MOST_RESOURCES + 1, TEMPLATE)
    assert str(finding) == "template.yaml: makes 451 resources, more than 450: give applications nested stacks"


SMALL = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  StreamSongFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/stream_song/
      Handler: app.handler
      Runtime: python3.13
      FunctionUrlConfig:
        AuthType: NONE
        InvokeMode: RESPONSE_STREAM
  StreamSongLogs:
    Type: AWS::Logs::LogGroup
    Properties:
      RetentionInDays: 14
  SongStateMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachines/song.asl.yaml
      DefinitionSubstitutions:
        StreamSongFunctionArn: !GetAtt StreamSongFunction.Arn
"""
SONG = """
StartAt: StreamSong
States:
  StreamSong:
    Type: Task
    Resource: ${StreamSongFunctionArn}
    Retry:
      - ErrorEquals: [ModelTimeout]
        BackoffRate: 2
    End: true
"""


@pytest.fixture
def small(sam_environment: None, tmp_path: Path) -> Path:
    """A template with one function and one state machine: the linters need seconds for the whole one."""
    template = tmp_path / TEMPLATE
    template.write_text(SMALL)
    (tmp_path / "statemachines").mkdir()
    (tmp_path / "statemachines/song.asl.yaml").write_text(SONG)
    return template


def test_check_1_finds_a_misspelt_property(small: Path) -> None:
    edit(small, "RetentionInDays", "RetentionDays")

    status, said = validate(small, "--only", "sam")

    assert status == 1
    [finding] = said["sam"]
    assert "E3002" in finding
    assert "'RetentionDays' was unexpected" in finding


def test_checks_2_and_3_find_invalid_values_inside_sam_resources_and_definitions(small: Path) -> None:
    edit(small, "InvokeMode: RESPONSE_STREAM", "InvokeMode: STREAMING")
    edit(small, "Runtime: python3.13", "Runtime: python3.13x")
    edit(small.parent / "statemachines/song.asl.yaml", "BackoffRate: 2", "BackoffRate: fast")

    status, said = validate(small, "--only", "translated", "--only", "definition")

    assert status == 1
    assert any(line.startswith("StreamSongFunction.Properties.Runtime: E3030") for line in said["translated"])
    assert any(line.startswith("StreamSongFunctionUrl.Properties.InvokeMode: E3030") for line in said["translated"])
    assert not any("StateMachine" in line for line in said["translated"])
    [definition] = said["definition"]
    assert definition.startswith("SongStateMachine.States.StreamSong.Retry.0.BackoffRate: E3601")


def test_the_house_rules_find_nothing_in_a_whole_copy(project: Path) -> None:
    assert check_house_rules(project / TEMPLATE) == []


BROKEN = {
    "a retry of an error that does not exist": (
        SUGGESTION,
        "- ModelTimeout\n",
        "- ModelTimedOut\n",
        "suggestion.asl.yaml.GenerateSuggestions.Retry: ModelTimedOut is no error of shared/errors.py or of AWS",
    ),
    "a transient fault without a retry": (
        SUGGESTION,
        "- ModelTimeout\n",
        "- ModelTimedOut\n",
        "suggestion.asl.yaml.GenerateSuggestions.Retry: does not retry ModelTimeout, a TransientFault",
    ),
    "a Next that leads nowhere": (
        SUGGESTION,
        "Next: CompleteJob",
        "Next: FinishJob",
        "suggestion.asl.yaml.ValidateSuggestions: names the next state FinishJob, which does not exist",
    ),
    "a start that does not exist": (
        SUGGESTION,
        "StartAt: GenerateSuggestions",
        "StartAt: Generate",
        "suggestion.asl.yaml: StartAt names Generate, which does not exist",
    ),
    "a state nobody reaches": (
        SUGGESTION,
        "Next: ValidateSuggestions",
        "Next: CompleteJob",
        "suggestion.asl.yaml.ValidateSuggestions: is never reached",
    ),
    "a Task without TimeoutSeconds": (
        SUGGESTION,
        "    TimeoutSeconds: 40\n",
        "",
        "suggestion.asl.yaml.CompleteJob: TimeoutSeconds is missing",
    ),
    "a state machine without TimeoutSeconds": (
        SUGGESTION,
        "TimeoutSeconds: 3600\n",
        "",
        "suggestion.asl.yaml: TimeoutSeconds is missing",
    ),
    "a Task given less time than its function": (
        SUGGESTION,
        "TimeoutSeconds: 310",
        "TimeoutSeconds: 300",
        "GenerateSuggestions.TimeoutSeconds: must be longer than GenerateSuggestionsFunction's own Timeout",
    ),
    "a placeholder nobody fills": (
        SUGGESTION,
        "${CompleteJobFunctionArn}",
        "${CompleteFunctionArn}",
        "suggestion.asl.yaml: ${CompleteFunctionArn} is not supplied by SuggestionStateMachine",
    ),
    "a substitution nobody uses": (
        TEMPLATE,
        "      DefinitionSubstitutions:\n",
        "      DefinitionSubstitutions:\n        Spare: x\n",
        "EraseOwnerStateMachine.DefinitionSubstitutions: Spare is not used in erase_owner.asl.yaml",
    ),
    "a state that is not called VerbNoun": (
        SUGGESTION,
        "  CompleteJob:\n",
        "  Completion:\n",
        "suggestion.asl.yaml.Completion: a state is called VerbNoun",
    ),
    "a caught failure that ends green": (
        SUGGESTION,
        "    Next: JobFailed\n",
        "    End: true\n",
        "suggestion.asl.yaml.GenerateSuggestions.Catch: ends green in RecordFailure: the job failed",
    ),
    "a Task that lets an error through": (
        SUGGESTION,
        "ErrorEquals: [States.ALL]",
        "ErrorEquals: [InvalidModelOutput]",
        "suggestion.asl.yaml.GenerateSuggestions: has no Catch for States.ALL",
    ),
    "a permanent fault that is retried": (
        SUGGESTION,
        "- ModelTimeout\n",
        "- ModelTimeout\n          - ModelRefused\n",
        "suggestion.asl.yaml.GenerateSuggestions.Retry: retries ModelRefused, which is not a TransientFault",
    ),
    "a pipeline whose name is not its file's": (
        TEMPLATE,
        "Name: !Sub ${AWS::StackName}-suggestion\n",
        "Name: !Sub ${AWS::StackName}-suggestions\n",
        "SuggestionStateMachine.Name: must be !Sub ${AWS::StackName}-suggestion",
    ),
    "a function that is not called as its folder": (
        TEMPLATE,
        "CodeUri: functions/jobs/get_job/",
        "CodeUri: functions/jobs/read_job/",
        "GetJobFunction.CodeUri: must be functions/<group>/get_job/, by the naming chain",
    ),
    "a log group kept for ever": (
        TEMPLATE,
        "/jobs\n      RetentionInDays: !Ref LogRetentionDays\n",
        "/jobs\n",
        "JobsLogs.RetentionInDays: is missing",
    ),
    "a function with another group's log": (
        TEMPLATE,
        "LogGroup: !Ref JobsLogs",
        "LogGroup: !Ref AgentsLogs",
        "CreateJobFunction.LoggingConfig: must name the log group JobsLogs",
    ),
    "a function without a timeout": (
        TEMPLATE,
        "      Timeout: 30\n",
        "",
        "DeleteJobFunction.Timeout: must be written out as a number",
    ),
    "a function without memory": (
        TEMPLATE,
        "      MemorySize: 512\n",
        "",
        "StreamJobFunction.MemorySize: must be written out as a number",
    ),
    "a stream window longer than its function": (
        TEMPLATE,
        'STREAM_WINDOW_SECONDS: "60"',
        'STREAM_WINDOW_SECONDS: "75"',
        "StreamJobFunction.Timeout: leaves no room after a stream window of 75 s",
    ),
    "a function without an alarm": (
        TEMPLATE,
        "- { Name: FunctionName, Value: !Ref GetJobFunction }",
        "- { Name: FunctionName, Value: !Ref ListJobsFunction }",
        "GetJobFunction: has no alarm on its Errors",
    ),
    "a state machine without an alarm": (
        TEMPLATE,
        "MetricName: ExecutionsTimedOut",
        "MetricName: ExecutionsStarted",
        "EraseOwnerStateMachine: has no alarm on ExecutionsTimedOut",
    ),
    "an action with a wildcard": (
        TEMPLATE,
        "Action: [dynamodb:BatchGetItem]",
        "Action: [dynamodb:*]",
        "ListJobsFunction.Policies: action dynamodb:* has a wildcard",
    ),
    "a resource of another stack whose name begins in the same way": (
        TEMPLATE,
        "execution:${IdeationStateMachine.Name}:*",
        "execution:${AWS::StackName}-*",
        "has too wide a wildcard",
    ),
    "a resource with a wildcard": (
        TEMPLATE,
        "Resource: !Sub ${ArtefactBucket.Arn}/jobs/*",
        'Resource: "*"',
        "GetJobFunction.Policies: resource * of s3:GetObject has too wide a wildcard",
    ),
    "a managed policy": (
        TEMPLATE,
        "      Policies:\n        - Version:",
        "      Policies:\n        - AmazonDynamoDBFullAccess\n        - Version:",
        "CreateJobFunction.Policies: 'AmazonDynamoDBFullAccess' is not spelled out",
    ),
    "one variable with two values": (
        TEMPLATE,
        'LOG_MAX_EVENTS: "1000"',
        'LOG_MAX_EVENTS: "500"',
        "GenerateIdeasFunction.LOG_MAX_EVENTS: has another value than in PrepareIdeasFunction",
    ),
    "an alarm on more metrics than CloudWatch takes": (
        TEMPLATE,
        "        - Id: create_ideation\n",
        "".join(f"        - {{ Id: m{n}, MetricStat: {{ Metric: {{ MetricName: Errors }} }} }}\n" for n in range(5))
        + "        - Id: create_ideation\n",
        "IdeationErrorsAlarm: refers to 11 metrics; CloudWatch takes 10",
    ),
    "a route without an authorizer": (
        TEMPLATE,
        "security: [Jwt: []]",
        "security: []",
        "HttpApi: POST /jobs: security must name one of Jwt, NONE",
    ),
    "a route that nothing may invoke": (
        TEMPLATE,
        "                credentials: !GetAtt HttpApiRole.Arn\n",
        "",
        "HttpApi: POST /jobs: must have the credentials of HttpApiRole",
    ),
    "a function with a route that the API may not invoke": (
        TEMPLATE,
        "                  - !Sub ${CreateJobFunction.Arn}:live\n",
        "",
        "HttpApiRole: may not invoke ${CreateJobFunction.Arn}:live, which has a route",
    ),
    "a function without a route that the API may invoke": (
        TEMPLATE,
        "                  - !Sub ${CreateJobFunction.Arn}:live\n",
        "                  - !Sub ${CreateJobFunction.Arn}:live\n                  - !Sub ${SweepJobsFunction.Arn}\n",
        "HttpApiRole: may invoke ${SweepJobsFunction.Arn}, which has no route",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_check_4_finds(case: str, project: Path) -> None:
    file, old, new, expected = BROKEN[case]
    edit(project / file, old, new)

    findings = [str(finding) for finding in check_house_rules(project / TEMPLATE)]

    assert any(expected in finding for finding in findings), findings


@pytest.fixture
def fan_out(project: Path) -> dict[str, Any]:
    """The state machine of suggestions, with its second stage in a Map; `write` stores it."""
    machine: dict[str, Any] = parse_yaml((project / SUGGESTION).read_text())
    task = machine["States"].pop("ValidateSuggestions")
    inner = {key: value for key, value in task.items() if key not in {"Catch", "Next"}} | {"End": True}
    machine["States"]["ValidateAll"] = {
        "Type": "Map",
        "ItemsPath": "$.fanOut.parts",
        "MaxConcurrency": 10,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "ValidateSuggestions",
            "States": {"ValidateSuggestions": inner},
        },
        "Catch": task["Catch"],
        "Next": task["Next"],
    }
    machine["States"]["GenerateSuggestions"]["Next"] = "ValidateAll"
    return machine


def test_the_house_rules_find_nothing_in_a_fan_out(project: Path, fan_out: dict[str, Any]) -> None:
    (project / SUGGESTION).write_text(yaml.safe_dump(fan_out))
    assert check_house_rules(project / TEMPLATE) == []


INNER = "suggestion.asl.yaml.ValidateAll[0].ValidateSuggestions"
BROKEN_FAN_OUTS: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], object], str]] = {
    "a distributed Map": (
        lambda states, _: states["ValidateAll"]["ItemProcessor"]["ProcessorConfig"].update(Mode="DISTRIBUTED"),
        "suggestion.asl.yaml.ValidateAll.ItemProcessor.ProcessorConfig.Mode: must be INLINE",
    ),
    "a Map without a limit": (
        lambda states, _: states["ValidateAll"].pop("MaxConcurrency"),
        "suggestion.asl.yaml.ValidateAll.MaxConcurrency: must be written out, from 1 to 40",
    ),
    "a limit that Step Functions does not keep": (
        lambda states, _: states["ValidateAll"].update(MaxConcurrency=41),
        "suggestion.asl.yaml.ValidateAll.MaxConcurrency: must be written out, from 1 to 40",
    ),
    "a Map that is retried": (
        lambda states, task: states["ValidateAll"].update(Retry=task["Retry"]),
        "suggestion.asl.yaml.ValidateAll.Retry: would run every iteration again",
    ),
    "a Map that lets an error through": (
        lambda states, _: states["ValidateAll"].pop("Catch"),
        "suggestion.asl.yaml.ValidateAll: has no Catch for States.ALL",
    ),
    "a part without a retry": (
        lambda _, task: task.pop("Retry"),
        f"{INNER}.Retry: does not retry ModelTimeout, a TransientFault",
    ),
    "a part without TimeoutSeconds": (
        lambda _, task: task.pop("TimeoutSeconds"),
        f"{INNER}: TimeoutSeconds is missing",
    ),
    "a part that names a state outside its Map": (
        lambda _, task: (task.pop("End"), task.update(Next="CompleteJob")),
        f"{INNER}: names the next state CompleteJob, which does not exist",
    ),
    "a part that swallows its failure": (
        lambda states, task: (
            task.update(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "IgnoreFault"}]),
            states["ValidateAll"]["ItemProcessor"]["States"].update(IgnoreFault={"Type": "Pass", "End": True}),
        ),
        f"{INNER}.Catch: ends green in IgnoreFault: the job failed",
    ),
}


@pytest.mark.parametrize("case", BROKEN_FAN_OUTS)
def test_check_4_finds_in_a_fan_out(case: str, project: Path, fan_out: dict[str, Any]) -> None:
    change, expected = BROKEN_FAN_OUTS[case]
    change(fan_out["States"], fan_out["States"]["ValidateAll"]["ItemProcessor"]["States"]["ValidateSuggestions"])
    (project / SUGGESTION).write_text(yaml.safe_dump(fan_out))

    findings = [str(finding) for finding in check_house_rules(project / TEMPLATE)]

    assert any(expected in finding for finding in findings), findings


def test_check_4_finds_an_event_of_no_function(project: Path) -> None:
    (project / "events" / "jobs" / "drop_job.valid.json").write_text("{}")

    [finding] = check_house_rules(project / TEMPLATE)

    assert str(finding) == "events/jobs/drop_job.valid.json: belongs to no function of the template"


def test_check_4_finds_a_function_the_template_does_not_know(project: Path) -> None:
    (project / "functions" / "jobs" / "drop_job").mkdir()
    (project / "functions" / "jobs" / "drop_job" / "app.py").touch()

    [finding] = check_house_rules(project / TEMPLATE)

    assert str(finding) == "functions/jobs/drop_job: is no function of the template"


def test_check_4_finds_a_function_without_events(project: Path) -> None:
    (project / "events" / "jobs" / "get_job.valid.json").unlink()

    [finding] = check_house_rules(project / TEMPLATE)

    assert str(finding) == "GetJobFunction: there is no events/jobs/get_job.<case>.json"
