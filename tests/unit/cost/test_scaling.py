"""The number of jobs per second at which each limit is reached."""

from __future__ import annotations

import pytest

from local.stack import ROOT
from tests.unit.cost.test_bill import COUNTS
from tools.cost.deployed import Deployed
from tools.cost.scaling import Limit, limits, needs_of


@pytest.mark.parametrize(
    ("need", "value", "jobs"),
    [
        ("executions", 300, 300),
        ("transitions", 5000, 5000 / 3),
        ("lambda_seconds", 1000, 1000 / 20.1),
        ("longest_function_seconds", 1000, 50),
        ("jobs_writes", 4000, 4000 / 38),  # an index has its own capacity
        ("live_index_writes", 8000, 4000),
        ("http_requests", 200, 100),
    ],
)
def test_a_limit_is_reached_when_all_jobs_together_use_it_completely(need: str, value: float, jobs: float) -> None:
    limit = Limit("", value, "", need, "", "")
    assert limit.jobs_per_second(needs_of(COUNTS)) == pytest.approx(jobs)


def test_a_limit_that_jobs_do_not_use_is_never_reached() -> None:
    assert Limit("", 4000, "", "durable_writes", "", "").jobs_per_second(needs_of(COUNTS)) is None


def test_every_limit_names_a_counted_quantity_and_the_source_of_its_number() -> None:
    needs = needs_of(COUNTS)
    [own, *theirs] = limits(Deployed.of(ROOT / "template.yaml"))
    assert own.what.startswith("ours")
    assert {limit.need for limit in theirs} <= needs.keys()
    assert all(limit.source.startswith("https://docs.aws.amazon.com/") for limit in theirs)
    assert next(limit.value for limit in theirs if limit.need == "live_index_writes") == 8000
