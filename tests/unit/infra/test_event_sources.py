"""What the kinds of consumers make: filters that let a job's transitions through, queues, and alarms."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from local.template.filter_patterns import matches
from local.template.intrinsics import parse_yaml
from shared.jobs.job import LIVE, JobStatus
from shared.storage.job_transitions import transition_in
from tests.fakes.core import a_job
from tests.fakes.stream import a_record
from tools.infra.stack import Stack

MOST_FILTERS = 5
"""The filters that an event source mapping may have, without a request to AWS.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""
FUNCTION = """
  {name}Function:
    Type: AWS::Serverless::Function
    Properties:
      Kinds: [{kind}]
      Timeout: 20
      Policies: []
"""
KINDS = {"ToldFunction": "job_transitions", "EndedFunction": "job_ends", "SentFunction": "queue"}


@pytest.fixture
def resources(product: Path) -> dict[str, Any]:
    """The resources of the whole template with a function of each of these kinds."""
    fragment = product / "infra/operations.yaml"
    functions = [FUNCTION.format(name=name.removesuffix("Function"), kind=kind) for name, kind in KINDS.items()]
    fragment.write_text(fragment.read_text() + "".join(functions))
    return dict(parse_yaml(Stack(product / "infra").text())["Resources"])


def patterns(function: dict[str, Any]) -> list[dict[str, Any]]:
    (event,) = function["Properties"]["Events"].values()
    return [json.loads(each["Pattern"]) for each in event["Properties"]["FilterCriteria"]["Filters"]]


CHANGES = [*itertools.product([None, *JobStatus], JobStatus)]
POSSIBLE = [(before, after) for before, after in CHANGES if before in {None, *LIVE} or after in LIVE or before is after]
"""All changes but those between two ends: a job that has ended is only resumed."""


def test_the_filter_of_transitions_lets_every_change_of_a_jobs_status_through_and_nothing_else(
    resources: dict[str, Any],
) -> None:
    wanted = patterns(resources["ToldFunction"])
    assert len(wanted) <= MOST_FILTERS
    assert all([*each] == ["dynamodb"] for each in wanted), "Lambda reads no other part of a record"
    for before, after in POSSIBLE:
        record = a_record(a_job(status=after), before=before)
        assert any(matches(each, record) for each in wanted) == (transition_in(record) is not None), (before, after)
        record["dynamodb"]["Keys"]["SK"] = {"S": "EVT#1"}
        assert not any(matches(each, record) for each in wanted)


def test_the_filter_of_ends_lets_the_end_of_a_live_job_through_and_nothing_else(resources: dict[str, Any]) -> None:
    (wanted,) = patterns(resources["EndedFunction"])
    for before, after in CHANGES:
        ends = before in LIVE and after not in LIVE
        assert matches(wanted, a_record(a_job(status=after), before=before)) == ends, (before, after)


def test_no_record_holds_up_a_shard_for_ever_or_is_lost_without_a_word(resources: dict[str, Any]) -> None:
    for name in ("ToldFunction", "EndedFunction"):
        (event,) = resources[name]["Properties"]["Events"].values()
        source = event["Properties"]
        assert source["StartingPosition"] == "TRIM_HORIZON"
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["BisectBatchOnFunctionError"] is True
        assert source["MaximumRetryAttempts"] > 0
        assert source["MaximumRecordAgeInSeconds"] <= 86_400 / 2, "the stream keeps records for a day"
        assert source["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["ChangesDeadLetters", "Arn"]}


def test_a_function_with_a_queue_has_it_with_its_dead_letters(resources: dict[str, Any]) -> None:
    queue = resources["SentQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * 20
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["SentDeadLetters", "Arn"]}
    kept = resources["SentDeadLetters"]["Properties"]["MessageRetentionPeriod"]
    assert kept > queue["MessageRetentionPeriod"]
    (event,) = resources["SentFunction"]["Properties"]["Events"].values()
    assert event["Properties"]["Queue"] == {"Fn::GetAtt": ["SentQueue", "Arn"]}


def test_every_consumer_and_every_queue_is_watched(resources: dict[str, Any]) -> None:
    def watched(alarm: str) -> list[Any]:
        metrics = [each["MetricStat"]["Metric"] for each in resources[alarm]["Properties"]["Metrics"][1:]]
        return [dimension["Value"] for each in metrics for dimension in each["Dimensions"]]

    own = {"Ref": "ToldFunction"}, {"Ref": "EndedFunction"}
    assert [each for each in watched("ChangesLateAlarm") if each in own] == [*own]
    assert {"Fn::GetAtt": ["SentQueue", "QueueName"]} in watched("QueuesLateAlarm")
    assert {"Fn::GetAtt": ["SentDeadLetters", "QueueName"]} in watched("QueuesDeadLettersAlarm")
