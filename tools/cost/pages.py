"""Write the tables of docs/cost.md and docs/scaling.md between their markers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from local.stack import ROOT
from tools.cost.channel import bill_for_idle_hours, bill_for_seconds_of_text
from tools.cost.report import Report
from tools.cost.tables import (
    bill_table,
    comparison_table,
    goal_table,
    idle_table,
    in_use_table,
    limits_table,
    partition_table,
    pipeline_table,
    savings_tables,
    summary_table,
)

PAGES = (ROOT / "docs" / "cost.md", ROOT / "docs" / "scaling.md")
"""The pages with tables of this package."""

_BLOCK = re.compile(r"(<!-- make cost: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def blocks(report: Report) -> dict[str, str]:
    """Return the text between the markers, by the name in the markers."""
    for_jobs, for_a_month = savings_tables(report)
    measured = report.measured
    *others, last = (f"{counts.jobs} {name} jobs" for name, counts in measured.pipelines.items())
    jobs = f"{', '.join(others)} and {last}" if others else last
    made = (
        f"Measured on {measured.day}: {jobs}, one watcher each; the model's first token after "
        f"{measured.first_token_ms:g} ms, then one every {measured.token_ms:g} ms. "
        f"A local millisecond counts as {report.factor:g} on Lambda. "
        f"Prices of {report.prices.region}, checked on {report.prices.checked.isoformat()}."
    )
    tables = {
        "summary": summary_table(report),
        **{name: pipeline_table(report, name) for name in measured.pipelines},
        **{f"idle-{name}": idle_table(report, name) for name in report.deployments},
        "in-use": in_use_table(report),
        "channel-text": bill_table(
            bill_for_seconds_of_text(report.prices), "count per second", "USD per 1,000 seconds"
        ),
        "channel-idle": bill_table(bill_for_idle_hours(report.prices), "count per hour", "USD per 1,000 hours"),
        "savings-jobs": for_jobs,
        "savings-month": for_a_month,
        "comparison": comparison_table(report),
        "limits": limits_table(report),
        "partition": partition_table(report),
        "goal": goal_table(report),
    }
    return {"measured": made, **{name: table.as_markdown() for name, table in tables.items()}}


def rewritten(text: str, current: Mapping[str, str]) -> str:
    """Return a page with its current blocks. Raises KeyError if a marker names no block."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{current[found['name']]}\n\n{found[3]}", text)


def write(report: Report, pages: tuple[Path, ...] = PAGES) -> None:
    """Write the current blocks to the pages."""
    current = blocks(report)
    for page in pages:
        page.write_text(rewritten(page.read_text(), current))
