"""The figures in docs/cost.md and docs/scaling.md, which must match the measurement, prices, quotas and template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.stack import ROOT
from shared.jobs.aws_prices import PriceList
from tools.cost.__main__ import report_of
from tools.cost.measured import Measured
from tools.cost.pages import PAGES, blocks, rewritten
from tools.cost.scaling import limits, needs_of
from tools.cost.tables import money, number

STEPS = {
    "A new table": "writes of a new on-demand table, `JobsTable`",
    "Concurrent executions": "concurrent executions",
    "A function's burst.": "new environments",
    "The table's quota": "writes of one table",
    "Our own throttle": "ours",
    "StartExecution": "StartExecution",
    "Logs": "PutLogEvents",
    "State transitions": "state transitions",
    "The shards of `LiveJobs`": "LiveJobs",
    "API Gateway": "API Gateway",
}
"""Each step of docs/scaling.md → a part of its limit's name."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_of_a_page_matches_the_current_report(page: Path) -> None:
    text = page.read_text()
    now = rewritten(text, blocks(report_of(Measured.load())))
    assert text == now, 'run: make cost ARGS="--as-measured --write"'


def test_every_table_is_on_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in blocks(report_of(Measured.load())) if f"<!-- make cost: {name} -->" not in text] == []


def test_every_price_names_its_page_and_its_source() -> None:
    prices = PriceList.load().prices
    assert [
        name for name, price in prices.items() if not price.source.startswith("https://") or not price.published
    ] == []
    assert all(price.usd > 0 for price in prices.values())
    assert [name for name, price in prices.items() if "not found" in price.published and price.unsure is None] == []


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "0"), (0.00012, "0.0001"), (0.1234, "0.123"), (80.851, "80.85"), (1234.5, "1,234.50")]
)
def test_money_is_shown_with_few_digits(usd: float, text: str) -> None:
    assert money(usd) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (3.0, "3"), (20.25, "20.2"), (47304000.0, "47,304,000"), (6.5e-6, "6.50e-06")]
)
def test_counts_are_shown_with_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_steps_to_the_goal_are_in_the_order_of_their_limits() -> None:
    text = (ROOT / "docs" / "scaling.md").read_text()
    steps = re.findall(r"^\d+\. \*\*([^*]+)\*\*", text, re.MULTILINE)
    report = report_of(Measured.load())
    needs = [needs_of(counts) for counts in report.measured.pipelines.values()]

    def reached_at(words: str) -> float:
        limit = next(each for each in limits(report.deployed) if words in each.what)
        return min(each for each in map(limit.jobs_per_second, needs) if each is not None)

    assert steps == sorted(STEPS, key=lambda step: reached_at(STEPS[step]))
