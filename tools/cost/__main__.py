"""Run `make cost`: run jobs on the local stack, count what they use of AWS, and price 1,000 jobs and an idle month.

Exit status: 0; 1 if the counts are not complete; 2 if an option is not valid.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.api.client import ClientError
from local.demo.pipeline import demos
from local.stack import ROOT, StackError
from shared.jobs.aws_prices import PriceList
from tools.cost.agreement import disagreements
from tools.cost.configurations import configurations
from tools.cost.counts import Counts, SweepCounts
from tools.cost.deployed import Deployed, resolved
from tools.cost.measured import Measured
from tools.cost.measuring import CountingFailed, Measurement, Pace
from tools.cost.pages import write
from tools.cost.report import ModelPrice, Report
from tools.cost.tables import TextTable, idle_table, in_use_table, pipeline_table, summary_table

TEMPLATE = ROOT / "template.yaml"
"""The template whose resources are priced."""


def report_of(measured: Measured, factor: float = 1.0) -> Report:
    """Return the report of a measurement, with the current template and prices."""
    template = resolved(TEMPLATE)
    prices = {name: ModelPrice.of(template, counts.model) for name, counts in measured.pipelines.items()}
    deployments = {name: Deployed.of(TEMPLATE, parameters) for name, parameters in configurations().items()}
    return Report(measured, deployments, PriceList.load(), prices, factor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure or load, price and print; return the exit status."""
    options = _options(arguments)
    try:
        measured = Measured.load() if options.as_measured else _measure(options)
    except (CountingFailed, ClientError, StackError) as error:
        print(f"make cost: {error}", file=sys.stderr)
        return 1
    report = report_of(measured, options.factor)
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    if options.write:
        measured.save()
        write(report)
    return 0


def _measure(options: argparse.Namespace) -> Measured:
    quick = Pace(options.first_token_ms, options.token_ms)
    slow = Pace(quick.first_token_ms, quick.token_ms * 2)
    pipelines: dict[str, Counts] = {}
    slower: dict[str, Counts] = {}
    sweep: SweepCounts | None = None
    for pipeline in options.pipelines:
        with (
            tempfile.TemporaryDirectory(prefix="millrace-cost-") as logs,
            Measurement(Path(logs), pace=quick, together=options.together, functions=options.functions) as measurement,
        ):
            sweep = sweep or measurement.of_the_sweep()
            pipelines[pipeline] = measurement.of_jobs(pipeline, options.jobs)
            if found := disagreements(pipelines[pipeline], measurement.own, times=not options.busy):
                raise CountingFailed("; ".join(found))
            measurement.pace = slow
            slower[pipeline] = measurement.of_jobs(pipeline, max(2, options.jobs // 5))
    assert sweep is not None  # noqa: S101 - there are pipelines
    day = datetime.now(UTC).date().isoformat()
    return Measured(day, quick.first_token_ms, quick.token_ms, pipelines, slower, sweep)


def _show(report: Report) -> None:
    console = Console(width=max(110, Console().width))
    for pipeline in report.measured.pipelines:
        console.print(_rich(f"{pipeline}: what a job uses", pipeline_table(report, pipeline)))
    for configuration in report.deployments:
        console.print(_rich(f"{configuration}: a month without requests", idle_table(report, configuration)))
    console.print(_rich("in addition, if every hour has jobs", in_use_table(report)))
    console.print(_rich("in short", summary_table(report)))
    console.print(
        f"List prices of {report.prices.region}, checked on {report.prices.checked.isoformat()} "
        "(shared/jobs/aws_prices.json), without free tiers. A duration on Lambda is the local one, times --factor."
    )


def _rich(title: str, table: TextTable) -> Table:
    shown = Table(title=title, title_justify="left")
    first = len(table.headings) - table.right
    for index, heading in enumerate(table.headings):
        shown.add_column(heading, justify="left" if index < first else "right")
    for row in table.rows:
        shown.add_row(*(cell.replace("**", "") for cell in row))
    return shown


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make cost", description=__doc__)
    parser.add_argument(
        "--pipelines", type=_pipelines, default=_pipelines(",".join(demos())), help="names, with commas (all)"
    )
    parser.add_argument("--jobs", type=_positive, default=20, help="jobs of each pipeline (20)")
    parser.add_argument("--together", type=_positive, default=4, help="jobs that run at the same time (4)")
    parser.add_argument(
        "--first-token-ms", type=float, default=500, help="milliseconds until the model's first token (500)"
    )
    parser.add_argument("--token-ms", type=float, default=20, help="milliseconds for each further token (20)")
    parser.add_argument("--functions", choices=["threads", "processes"], default="threads")
    parser.add_argument("--factor", type=float, default=1.0, help="milliseconds on Lambda for each local one (1)")
    parser.add_argument("--busy", action="store_true", help="do not compare the times of jobs and of the counts")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--write", action="store_true", help="update docs/cost.md, docs/scaling.md and tools/cost/measured.json"
    )
    parser.add_argument("--as-measured", action="store_true", help="price tools/cost/measured.json again; run no jobs")
    options = parser.parse_args(arguments)
    if options.write and len(options.pipelines) < len(demos()) and not options.as_measured:
        parser.error("--write needs the counts of all pipelines; leave out --pipelines")
    return options


def _pipelines(text: str) -> list[str]:
    names = set(text.split(","))
    if unknown := sorted(names - demos().keys()):
        known = ", ".join(sorted(demos()))
        raise argparse.ArgumentTypeError(f"there is no demo of {', '.join(map(repr, unknown))}; pipelines: {known}")
    # First those that need nothing before them: suggestion is the simplest.
    return sorted(names, key=lambda name: (demos()[name].begins_with_job, name), reverse=True)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


if __name__ == "__main__":
    sys.exit(main())
