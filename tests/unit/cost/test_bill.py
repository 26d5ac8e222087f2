"""The bill for jobs, checked with an example that is small enough to compute by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from shared.jobs.aws_prices import PriceList
from tools.cost.bill import Line, bill_for_jobs, total
from tools.cost.counts import GB, Counts, Invoked, TableUse, item_bytes

PRICES = PriceList.load()
COUNTS = Counts(
    pipeline="suggestion",
    jobs=10,
    seconds=10.0,
    functions={"create_job": Invoked(1, 100, 1024), "stream_job": Invoked(2, 20_000, 512)},
    http_requests=2,
    response_bytes=0.25 * GB / 1000,
    streamed_bytes=0.75 * GB / 1000,
    transitions=3,
    tables={"JobsTable": TableUse(40, 20, {"LiveJobs": 2}, expiring_byte_months=0.01 * GB / 1000)},
    objects=0,
    object_bytes=0,
    log_bytes=0.001 * GB - 3 * 500 - 2 * 350,
    traces=2,
    metrics=("A", "B"),
    routes=("POST /jobs",),
    model="gpt-4.1-mini",
    input_tokens=100,
    output_tokens=1000,
)


def usd(counts: Counts = COUNTS, factor: float = 1.0) -> dict[str, float]:
    lines = bill_for_jobs(counts, PRICES, snapshot_gb={"create_job": 1.0}, factor=factor)
    return {line.what.partition(":")[0]: line.usd for line in lines}


@pytest.mark.parametrize(
    ("line", "dollars"),
    [
        ("HTTP API requests", 0.002),  # 2,000 of them at a dollar a million
        ("Lambda invocations", 0.0006),  # 3,000 at 20 cents a million
        ("Lambda create_job", 0.00166667),  # 0.1 s of 1 GB a job: 100 GB-seconds
        ("Lambda stream_job", 0.166667),  # 20 s of half a GB a job: 10,000 GB-seconds
        ("SnapStart restores, 1% of starts", 0.001397998),  # 10 restores of 1 GB
        ("Step Functions transitions", 0.075),  # 3,000 at 2.5 cents a thousand
        ("DynamoDB JobsTable writes", 0.025),  # 40,000 at 62.5 cents a million
        ("DynamoDB JobsTable reads", 0.0025),  # 20,000 at 12.5 cents a million
        ("DynamoDB storage until expiry", 0.0025),  # a hundredth of a GB-month at 25 cents
        ("CloudWatch Logs", 0.5),  # a GB, with Lambda's own lines and the API's
        ("X-Ray traces, all of them sampled", 0.01),  # 2,000 at 5 dollars a million
        ("data transfer to the internet", 0.09),  # a GB
    ],
)
def test_the_bill_for_a_thousand_jobs_matches_the_figures_computed_by_hand(line: str, dollars: float) -> None:
    assert usd()[line] == pytest.approx(dollars)


def test_the_total_is_the_sum_of_the_lines() -> None:
    assert total([Line("a", 2, PRICES["alarm"], 1), Line("b", 1, PRICES["dashboard"], 1)]) == pytest.approx(3.2)


def test_the_factor_changes_only_what_is_billed_by_the_millisecond() -> None:
    once, twice = usd(), usd(factor=2.0)
    changed = {name for name in once if twice[name] == pytest.approx(2 * once[name]) and once[name]}
    assert changed == {"Lambda create_job", "Lambda stream_job"}
    assert {name: twice[name] for name in once.keys() - changed} == {n: once[n] for n in once.keys() - changed}


def test_streaming_costs_only_beyond_six_megabytes_per_response() -> None:
    assert usd(dataclasses.replace(COUNTS, streamed_bytes=6 * 1024**2))["Lambda streaming"] == 0
    more = dataclasses.replace(COUNTS, streamed_bytes=6 * 1024**2 + GB / 1000)
    assert usd(more)["Lambda streaming"] == pytest.approx(0.008)


def test_counts_are_unchanged_after_they_were_written_and_read() -> None:
    assert Counts.from_json(COUNTS.as_json()) == COUNTS


def test_the_size_of_an_item_includes_its_names_and_values() -> None:
    item: dict[str, dict[str, Any]] = {
        "PK": {"S": "JOB#é"},  # 2 + 6
        "n": {"N": "12345"},  # 1 + 4
        "ok": {"BOOL": True},  # 2 + 1
        "l": {"L": [{"S": "ab"}, {"NULL": True}]},  # 1 + 3 + (1 + 2) + (1 + 1)
        "m": {"M": {"k": {"S": "v"}}},  # 1 + 3 + 1 + 1 + 1
    }
    assert item_bytes(item) == 8 + 5 + 3 + 9 + 7
