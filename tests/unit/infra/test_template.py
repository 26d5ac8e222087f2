"""`make template`, which writes one template from the fragments in infra/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.template.intrinsics import parse_yaml
from tests.layout import ROOT
from tools.infra.__main__ import main
from tools.infra.blocks import CannotUnite
from tools.infra.stack import Stack

Write = Callable[[str, str], None]
Text = Callable[[], str]


def test_the_committed_template_matches_the_fragments() -> None:
    assert (ROOT / "template.yaml").read_text() == Stack(ROOT / "infra").text(), "run `make template`"


def test_the_template_has_each_fragment_with_its_comments_under_a_banner(template: Text) -> None:
    banner = "  # ==== JOBS ".ljust(120, "=")
    assert (
        template()
        == f"""\
# The head of the template.

AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Description: A stack.

Conditions:
  Never: !Equals [a, b]

Globals:
  Function:
    Handler: app.handler

Resources:
{banner}
  # Jobs, and nothing else.

  CreateJobFunction:
    # The reason for this function.
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-create_job
      Description: POST /jobs
      CodeUri: functions/jobs/create_job/
      # The reason for this timeout.
      Timeout: 20
      # A client waits for it.
      MemorySize: 1024
"""
    )


ENDPOINT = """\
  {name}Function:
    Type: AWS::Serverless::Function
    Properties:
      Routes:
        - GET /{name}
"""

# ---- kinds -----------------------------------------------------------------------------------------------------------

POLICY = """\
Policies:
    - Version: "2012-10-17"
      Statement:
        # Why {action}.
        - {{ Effect: Allow, Action: [{action}], Resource: x }}
"""


def test_a_function_has_the_variables_and_statements_of_its_kinds_and_its_own(write: Write, template: Text) -> None:
    kinds = "function:\n  CodeUri: <code>\n"
    for kind in ("a", "b"):
        kinds += (
            f"{kind}:\n  Timeout: 1\n  Environment:\n    Variables:\n      {kind.upper()}: {kind}\n      BOTH: {kind}\n"
        )
        kinds += "  " + POLICY.format(action=f"s3:{kind}")
    own = POLICY.format(action="s3:own").replace("\n", "\n    ").rstrip()
    write("kinds", kinds)
    write(
        "jobs",
        "Resources:\n  WorkFunction:\n    Type: AWS::Serverless::Function\n    Properties:\n      Kinds: [a, b]\n"
        f"      MemorySize: 2\n      Environment:\n        Variables:\n          OWN: own\n      {own}\n",
    )

    properties = parse_yaml(template())["Resources"]["WorkFunction"]["Properties"]

    assert (properties["Timeout"], properties["MemorySize"]) == (1, 2)
    assert properties["Environment"]["Variables"] == {"A": "a", "B": "b", "BOTH": "b", "OWN": "own"}
    [policy] = properties["Policies"]
    assert [statement["Action"] for statement in policy["Statement"]] == [["s3:a"], ["s3:b"], ["s3:own"]]
    assert [line.strip() for line in template().splitlines() if "# Why s3" in line] == [
        "# Why s3:a.",
        "# Why s3:b.",
        "# Why s3:own.",
    ]


def test_a_stage_with_a_long_log_may_do_what_a_stage_with_a_model_may_except_reading_the_models_key(
    product: Path,
) -> None:
    fragment = product / "infra/apps/suggestions.yaml"
    function = (
        "  BindPoemsFunction:\n    Type: AWS::Serverless::Function\n    Properties:\n      Kinds: [long_log_stage]\n"
    )
    fragment.write_text(fragment.read_text().replace("\nOutputs:", f"\n{function}\nOutputs:", 1))
    resources = parse_yaml(Stack(product / "infra").text())["Resources"]
    properties = [resources[name]["Properties"] for name in ("BindPoemsFunction", "GenerateSuggestionsFunction")]
    long_log, with_model = (each["Policies"][0]["Statement"] for each in properties)
    assert long_log == [each for each in with_model if "secretsmanager:GetSecretValue" not in each["Action"]]
    variables = properties[0]["Environment"]["Variables"]
    assert {*variables} == {"CHANNEL_URL", "CHANNEL_TABLE_NAME", "LOG_MAX_EVENTS", "LOG_MAX_BYTES"}


def test_a_function_has_what_the_kinds_of_its_kinds_have_and_has_it_once(product: Path) -> None:
    resources = parse_yaml(Stack(product / "infra").text())["Resources"]
    statements = resources["CancelJobFunction"]["Properties"]["Policies"][0]["Statement"]
    of_connections = [each for each in statements if each["Action"] == ["execute-api:ManageConnections"]]
    assert len(of_connections) == 1
    assert "CHANNEL_URL" in resources["CancelJobFunction"]["Properties"]["Environment"]["Variables"]
    assert "Kinds" not in resources["CancelJobFunction"]["Properties"]


def test_the_comments_of_a_kind_are_written_at_its_first_use(write: Write, template: Text) -> None:
    write("jobs", "Resources:\n" + ENDPOINT.format(name="One") + ENDPOINT.format(name="Two"))

    assert template().count("# A client waits for it.") == 1
    assert template().count("MemorySize: 1024") == 2


def test_a_function_with_the_name_of_its_group_has_no_folder_in_between(write: Write, template: Text) -> None:
    write("console", "Resources:\n  ConsoleFunction:\n    Type: AWS::Serverless::Function\n")

    assert "CodeUri: functions/console/\n" in template()


# ---- loops -----------------------------------------------------------------------------------------------------------


def test_an_errors_alarm_covers_at_most_ten_functions_of_one_group(write: Write, template: Text) -> None:
    write("agents", "Resources:\n" + "".join(ENDPOINT.format(name=f"Do{number}") for number in range(11)))
    loop = "  # for each alarm on functions\n  <Alarm>ErrorsAlarm:\n    Type: Alarm\n    Properties:\n      Metrics:\n"
    write(
        "alarms",
        f"Resources:\n{loop}        # for each function\n        - {{ Id: <function>, Of: !Ref <Function> }}\n",
    )

    resources = parse_yaml(template())["Resources"]

    metrics = {name: len(each["Properties"]["Metrics"]) for name, each in resources.items() if "Alarm" in name}
    assert metrics == {"JobsErrorsAlarm": 1, "AgentsErrorsAlarm": 10, "Agents2ErrorsAlarm": 1}
    assert resources["JobsErrorsAlarm"]["Properties"]["Metrics"] == [
        {"Id": "create_job", "Of": {"Ref": "CreateJobFunction"}}
    ]


PIPELINE = """\
function:
  CodeUri: <code>
endpoint:
  Timeout: 1
pipeline:
  Name: <pipeline>
  DefinitionSubstitutions:
    # for each state
    <State>FunctionArn: !GetAtt <State>Function.Arn
"""


def test_a_function_that_only_a_state_machine_invokes_is_a_stage(
    write: Write, template: Text, repository: Path
) -> None:
    write(
        "apps/songs",
        "Resources:\n  SongStateMachine:\n    Type: AWS::Serverless::StateMachine\n\n"
        "  WriteSongFunction:\n    Type: AWS::Serverless::Function\n",
    )
    (repository / "statemachines").mkdir()
    (repository / "statemachines/song.asl.yaml").write_text(
        "a: ${WriteSongFunctionArn}\nb: ${CompleteJobFunctionArn}\n"
    )
    write("kinds", PIPELINE)
    write("alarms", "Resources:\n  # for each alarm on stages\n  <Alarm>StageErrorsAlarm:\n    Type: Alarm\n")

    resources = parse_yaml(template())["Resources"]

    assert "SongsStageErrorsAlarm" in resources
    assert resources["SongStateMachine"]["Properties"] == {
        "Name": "song",
        "DefinitionSubstitutions": {
            "WriteSongFunctionArn": {"Fn::GetAtt": ["WriteSongFunction", "Arn"]},
            "CompleteJobFunctionArn": {"Fn::GetAtt": ["CompleteJobFunction", "Arn"]},
        },
    }


# ---- refused fragments -----------------------------------------------------------------------------------------------

FUNCTION = "Resources:\n  WorkFunction:\n    Type: AWS::Serverless::Function\n    Properties:\n"
REFUSED = {
    "a name that two fragments have": (
        "agents",
        "Resources:\n  CreateJobFunction:\n    Type: AWS::SQS::Queue\n",
        "infra/agents.yaml: Resources.CreateJobFunction is in infra/jobs.yaml already",
    ),
    "a parameter with the name of a resource": (
        "agents",
        "Parameters:\n  CreateJobFunction:\n    Type: String\n",
        "infra/jobs.yaml: Resources.CreateJobFunction is in infra/agents.yaml already",
    ),
    "a condition that two fragments have": (
        "agents",
        "Conditions:\n  Never: !Equals [a, c]\n",
        "infra/agents.yaml: Conditions.Never is in infra/stack.yaml already",
    ),
    "a route that two functions have": (
        "agents",
        f"{FUNCTION}      Routes:\n        - POST /jobs\n",
        "infra/agents.yaml: POST /jobs of WorkFunction is a route of CreateJobFunction already",
    ),
    "an invalid route": (
        "agents",
        f"{FUNCTION}      Routes:\n        - /jobs\n",
        "infra/agents.yaml: WorkFunction: '/jobs' is not METHOD /path",
    ),
    "an unknown section": (
        "agents",
        "Resource:\n  A:\n    Type: AWS::SQS::Queue\n",
        "infra/agents.yaml: Resource is no section of a fragment",
    ),
    "Globals outside the first fragment": (
        "agents",
        "Globals:\n  Function:\n    Timeout: 1\n",
        "infra/agents.yaml: Globals is no section of a fragment",
    ),
    "an unknown key of a resource": (
        "agents",
        "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Propertys:\n      A: 1\n",
        "infra/agents.yaml: A.Propertys is no key of a resource",
    ),
    "an unknown property of a function": (
        "agents",
        f"{FUNCTION}      TimeOut: 1\n",
        "infra/agents.yaml: WorkFunction.TimeOut is not in PROPERTIES of tools/infra/functions.py",
    ),
    "a property that the generator writes": (
        "agents",
        f"{FUNCTION}      CodeUri: functions/work/\n",
        "infra/agents.yaml: WorkFunction.CodeUri comes from infra/kinds.yaml: do not write it",
    ),
    "a route as an event": (
        "agents",
        f"{FUNCTION}      Events:\n        Work:\n          Type: HttpApi\n",
        "infra/agents.yaml: WorkFunction: write Routes, not an event of the HTTP API",
    ),
    "an unknown kind": (
        "agents",
        f"{FUNCTION}      Kinds: [endpiont]\n",
        r"infra/agents.yaml: endpiont is no kind of infra/kinds.yaml \(function, endpoint\)",
    ),
    "a loop over an unknown set": (
        "agents",
        "Resources:\n  # for each grop\n  <Group>Logs:\n    Type: AWS::Logs::LogGroup\n",
        "infra/agents.yaml: # for each grop: there is alarm on consumers, ",
    ),
    "a state machine without a definition": (
        "apps/songs",
        "Resources:\n  SongStateMachine:\n    Type: AWS::Serverless::StateMachine\n",
        "infra/apps/songs.yaml: SongStateMachine: there is no statemachines/song.asl.yaml",
    ),
    "a fragment that is not in the order": (
        "webhook",
        "Resources:\n",
        "infra/webhook.yaml: not in ORDER of tools/infra/fragments.py",
    ),
    "a fragment that is not YAML": (
        "agents",
        "Resources:\n  WorkFunction:\n    Type: AWS::Serverless::Function\n  - Work\n",
        "infra/agents.yaml: Resources: while parsing a block mapping",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_invalid_fragment_is_refused_with_its_name(case: str, write: Write, template: Text) -> None:
    fragment, text, message = REFUSED[case]
    write(fragment, text)

    with pytest.raises(CannotUnite, match=message):
        template()


def test_a_missing_fragment_is_refused_with_its_name(repository: Path, template: Text) -> None:
    (repository / "infra/jobs.yaml").unlink()

    with pytest.raises(CannotUnite, match=r"infra/jobs.yaml: named in ORDER of tools/infra/fragments.py, and missing"):
        template()


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_check_fails_after_a_change_of_a_fragment_until_the_template_is_written(
    product: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragment = product / "infra/operations.yaml"
    root = ["--root", str(product)]
    assert main([*root, "--check"]) == 0
    fragment.write_text(fragment.read_text().replace("Timeout: 60", "Timeout: 50"))

    assert main([*root, "--check"]) == 1
    printed = capsys.readouterr()
    assert "+      Timeout: 50" in printed.out
    assert "run `make template` and commit the result" in printed.err

    assert main(root) == 0
    assert main([*root, "--check"]) == 0


def test_the_check_fails_when_the_template_was_edited(product: Path) -> None:
    template = product / "template.yaml"
    template.write_text(template.read_text().replace("Timeout: 60", "Timeout: 50"))

    assert main(["--root", str(product), "--check"]) == 1


def test_the_command_prints_the_error_of_an_invalid_fragment(product: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (product / "infra/apps/songs.yaml").write_text("Resources:\n  JobsTable:\n    Type: AWS::SQS::Queue\n")

    assert main(["--root", str(product)]) == 1
    assert capsys.readouterr().err == "infra/data.yaml: Resources.JobsTable is in infra/apps/songs.yaml already\n"


def test_what_is_said_to_be_gone_is_not_kept_for_recovery_and_what_people_keep_is() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    recovery = {
        name: resources[name]["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        for name in ("JobsTable", "DurableTable")
    }
    assert recovery == {"JobsTable": False, "DurableTable": True}
    assert resources["DurableTable"]["Properties"]["DeletionProtectionEnabled"] is True
    assert resources["UserPool"]["Properties"]["DeletionProtection"] == "ACTIVE"


def test_sign_in_is_hardened() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    assert resources["UserPool"]["Properties"]["MfaConfiguration"] == "OPTIONAL"
    assert resources["UserPoolClient"]["Properties"]["RefreshTokenRotation"]["Feature"] == "ENABLED"


def test_every_scheduled_function_keeps_the_invocations_that_lambda_gives_up() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    scheduled = {
        name: resource["Properties"].get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure")
        for name, resource in resources.items()
        if any(event["Type"] == "ScheduleV2" for event in resource.get("Properties", {}).get("Events", {}).values())
    }
    queue = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["SweepDeadLetters", "Arn"]}}
    assert scheduled
    assert scheduled == dict.fromkeys(scheduled, queue)


def test_the_access_log_names_the_caller() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    logged = resources["HttpApi"]["Properties"]["AccessLogSettings"]["Format"]
    assert '"caller":"$context.authorizer.claims.sub"' in logged


def test_cancelling_has_a_whole_cpu_for_its_cold_start() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    assert resources["CancelJobFunction"]["Properties"]["MemorySize"] >= 1769


def test_the_cost_of_the_public_stream_is_bounded_and_watched() -> None:
    resources = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
    assert resources["StreamJobFunction"]["Properties"]["ReservedConcurrentExecutions"] == {
        "Fn::If": ["ReservesStreams", {"Ref": "StreamConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
    assert resources["StreamJobRefusalsAlarm"]["Properties"]["MetricName"] == "Url4xxCount"
    assert "Condition" not in resources["StreamJobConcurrencyAlarm"]
    assert resources["MonthlyBudget"]["Condition"] == "HasAlarmEmail"
