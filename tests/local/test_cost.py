"""`make cost` in an empty environment, with two jobs of two pipelines."""

from __future__ import annotations

import json
import sys

import pytest

from tests.local.command import Command
from tests.stack_forks import StackForks

COST = [sys.executable, "-m", "tools.cost", "--pipelines"]
QUICK = ["--jobs", "2", "--first-token-ms", "50", "--token-ms", "2", "--busy"]


def test_it_counts_and_prices_two_jobs_of_two_pipelines(stack_forks: StackForks) -> None:
    with Command([*COST, "suggestion,ideation", *QUICK, "--json", "--factor", "2"], forks=stack_forks) as cost:
        output = cost.run(timeout=500)
        assert cost.status == 0, output
        document = json.loads(output)
        suggestion, ideation = (document["measured"]["pipelines"][name] for name in ("suggestion", "ideation"))
        assert [suggestion["transitions"], ideation["transitions"]] == [3, 4]
        assert {name: each["times"] for name, each in suggestion["functions"].items()} == dict.fromkeys(
            ["create_job", "generate_suggestions", "validate_suggestions", "complete_job", "stream_job"], 1
        )
        assert all(each["milliseconds"] > 0 for each in suggestion["functions"].values())
        assert suggestion["tables"]["JobsTable"]["index_units"] == {"ByOwner": 1, "JobList": 3, "LiveJobs": 2}
        assert suggestion["tables"]["JobsTable"]["kept_bytes"] == 0
        assert ideation["tables"]["DurableTable"]["kept_bytes"] > 1000
        assert suggestion["streamed_bytes"] > 1000
        bill = document["pipelines"]["suggestion"]
        assert bill["usdPer1000Jobs"] == pytest.approx(sum(line["usd"] for line in bill["per1000Jobs"]))
        [transitions] = [line for line in bill["per1000Jobs"] if "transitions" in line["what"]]
        assert transitions["usd"] == pytest.approx(0.075)
        idle = {name: each["usd"] for name, each in document["idleMonth"].items()}
        assert 0 < idle["default"] <= 5 < idle["production"]
        assert cost.processes() == []


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["sonnet"], "there is no demo of 'sonnet'; pipelines: ideation, render, sheet, suggestion, video"),
        (["ideation", "--write"], "--write needs the counts of all pipelines; leave out --pipelines"),
    ],
)
def test_pipelines_that_cannot_be_counted_are_refused(options: list[str], rule: str) -> None:
    with Command([*COST, *options]) as cost:
        output = cost.run()
        assert (cost.status, rule in output) == (2, True), output
