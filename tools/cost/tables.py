"""The report as rows of text, the same for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.cost.bill import JOBS, Line, total
from tools.cost.counts import MONTH_HOURS
from tools.cost.report import Report
from tools.cost.savings import for_a_month, for_jobs
from tools.cost.scaling import GOAL, PARTITION_READS, PARTITION_WRITES, Limit, limits, needs_of


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of cells under headings; `right`: how many of the last columns are numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: int = 0

    def as_markdown(self) -> str:
        first = len(self.headings) - self.right
        rule = ["---" if number < first else "---:" for number in range(len(self.headings))]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.headings, rule, *self.rows))


def money(usd: float) -> str:
    """Three significant digits, but never less than a hundredth of a cent."""
    if usd == 0:
        return "0"
    return f"{usd:,.2f}" if abs(usd) >= 1 else f"{usd:.3f}" if abs(usd) >= 0.1 else f"{usd:.4f}"


def number(value: float) -> str:
    """Three significant digits, or all of a whole number."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    if value == int(value):
        return f"{value:.0f}"
    if value >= 0.001:
        return f"{value:.3g}"
    return f"{value:.2e}"


def bill_table(lines: Sequence[Line], count: str, usd: str) -> TextTable:
    """Lines without a count are left out; the dearest come first."""
    ordered = sorted((line for line in lines if line.count), key=lambda line: -line.usd)
    rows = [(line.what, number(line.count), _price(line), money(line.usd)) for line in ordered]
    rows.append(("**total**", "", "", f"**{money(total(list(lines)))}**"))
    return TextTable(("what", count, "USD per unit", usd), tuple(rows), right=3)


def _price(line: Line) -> str:
    price = line.price
    many = {1: "", 1000: "1,000 ", 1_000_000: "million "}[price.per]
    return f"{price.usd:.10g} / {many}{price.unit.partition(',')[0].partition(' of ')[0].partition(' beyond')[0]}"


def pipeline_table(report: Report, pipeline: str) -> TextTable:
    return bill_table(report.bill(pipeline), "count per job", f"USD per {JOBS:,} jobs")


def idle_table(report: Report) -> TextTable:
    return bill_table(report.idle, "count per month", "USD per month")


def in_use_table(report: Report) -> TextTable:
    return bill_table(report.in_use, "count per month", "USD per month")


def summary_table(report: Report) -> TextTable:
    """One column for each pipeline."""
    pipelines = report.measured.pipelines

    def shared(names: tuple[str, ...], pipeline: str) -> str:
        lines = report.bill(pipeline)
        return f"{sum(line.usd for line in lines if line.what.startswith(names)) / total(lines):.0%}"

    rows = [
        (f"**USD per {JOBS:,} jobs**", *(f"**{money(total(report.bill(name)))}**" for name in pipelines)),
        ("of it Step Functions", *(shared(("Step Functions",), name) for name in pipelines)),
        ("of it Lambda", *(shared(("Lambda", "SnapStart"), name) for name in pipelines)),
        ("of it DynamoDB", *(shared(("DynamoDB", "point-in-time"), name) for name in pipelines)),
        (
            "each further second of the model's writing, one watcher",
            *(money(report.further_second(n)) for n in pipelines),
        ),
        ("each further watcher, with the model as fast as this", *(money(_watcher(report, n)) for n in pipelines)),
        ("seconds from asking to the last event", *(number(counts.seconds) for counts in pipelines.values())),
        (
            f"model tokens, apart: {next(iter(pipelines.values())).model}, in and out per job",
            *(f"{number(c.input_tokens)}, {number(c.output_tokens)}" for c in pipelines.values()),
        ),
        (
            f"model tokens, apart: USD per {JOBS:,} jobs",
            *(money(report.model_prices[name].for_jobs(counts)) for name, counts in pipelines.items()),
        ),
    ]
    return TextTable(("", *pipelines), tuple(rows), right=len(pipelines))


def _watcher(report: Report, pipeline: str) -> float:
    """Lambda's part; reads, logs and a trace come to a tenth of it."""
    counts = report.measured.pipelines[pipeline]
    stream = counts.functions["stream_job"]
    gb_seconds, times = stream.gb_seconds(report.factor), stream.times
    return report.prices["lambda_gb_second"].of(gb_seconds * JOBS) + report.prices["lambda_request"].of(times * JOBS)


def savings_tables(report: Report) -> tuple[TextTable, TextTable]:
    """By the thousand jobs, and by the month."""
    pipelines = report.measured.pipelines
    jobs = [
        (row[0].what, row[0].price, *(money(saving.usd) for saving in row))
        for row in for_jobs(pipelines, report.prices, report.factor)
    ]
    month = [
        (saving.what, saving.price, money(saving.usd))
        for saving in for_a_month(report.deployed, len(report.measured.routes), report.prices)
    ]
    return (
        TextTable(
            ("what", "its price", *(f"{name}, USD per {JOBS:,}" for name in pipelines)), tuple(jobs), len(pipelines)
        ),
        TextTable(("what", "its price", "USD per month"), tuple(month), 1),
    )


def comparison_table(report: Report) -> TextTable:
    """In kind: what a month costs at some numbers of jobs, without the model."""
    prices = report.prices
    hours = MONTH_HOURS
    tasks = 2 * (prices["fargate_vcpu_hour"].of(0.5 * hours) + prices["fargate_gb_hour"].of(hours))
    box = tasks + prices["load_balancer_hour"].of(hours) + prices["valkey_gb_hour"].of(0.1 * hours)
    rows = []
    for jobs in (0, 1_000, 10_000, 100_000, 1_000_000):
        base = total(report.idle) + (total(report.in_use) if jobs else 0.0)
        ours = base + jobs / JOBS * total(report.bill("suggestion"))
        rows.append((f"{jobs:,}", money(ours), money(box), money(prices["langsmith_run"].of(jobs))))
    headings = ("suggestion jobs a month", "Millrace", "always-on box", "managed platform, runs alone")
    return TextTable(headings, tuple(rows), right=3)


def limits_table(report: Report) -> TextTable:
    """Every limit with what a job uses of it and the jobs a second at which it is met, the lowest first."""
    pipelines = report.measured.pipelines
    needs = {name: needs_of(counts) for name, counts in pipelines.items()}

    def lowest(limit: Limit) -> float:
        met = [limit.jobs_per_second(each) for each in needs.values()]
        return min((each for each in met if each is not None), default=float("inf"))

    rows = [
        (
            f"[{limit.what}]({limit.source})",
            f"{number(limit.value)} {limit.unit}",
            " / ".join(number(each[limit.need]) for each in needs.values()),
            " / ".join(_met(limit.jobs_per_second(each)) for each in needs.values()),
            f"{number(GOAL / lowest(limit))} times" if lowest(limit) < GOAL else "enough",
            limit.raised_by,
        )
        for limit in sorted(limits(report.deployed), key=lowest)
    ]
    names = " / ".join(pipelines)
    headings = ("limit", "default", f"a job uses ({names})", "met at jobs/s", f"for {GOAL:,} jobs/s", "what raises it")
    return TextTable(headings, tuple(rows))


def _met(jobs: float | None) -> str:
    return "–" if jobs is None else number(jobs)


def partition_table(report: Report) -> TextTable:
    """What one job asks of the partition it has for itself."""
    rows = []
    for name, counts in report.measured.pipelines.items():
        use = counts.tables["JobsTable"]
        writes, reads = use.write_units / counts.seconds, use.read_units / counts.seconds
        rows.append(
            (name, number(writes), f"{writes / PARTITION_WRITES:.1%}", number(reads), number(PARTITION_READS / reads))
        )
    headings = (
        "pipeline",
        "write units/s",
        "of a partition's 1,000",
        "read units/s, one watcher",
        "watchers until 3,000",
    )
    return TextTable(headings, tuple(rows), right=4)


def goal_table(report: Report) -> TextTable:
    """What the goal means, and costs."""
    pipelines = report.measured.pipelines
    needs = {name: needs_of(counts) for name, counts in pipelines.items()}
    month = GOAL * MONTH_HOURS * 3600 / JOBS
    rows = [
        ("Lambda executions at a time", *(number(GOAL * each["lambda_seconds"]) for each in needs.values())),
        (
            "of them watchers",
            *(number(GOAL * c.functions["stream_job"].milliseconds / 1000) for c in pipelines.values()),
        ),
        ("JobsTable write units a second", *(number(GOAL * each["jobs_writes"]) for each in needs.values())),
        ("JobsTable read units a second", *(number(GOAL * each["jobs_reads"]) for each in needs.values())),
        (
            "tokens a minute from the model, in and out",
            *(number(GOAL * 60 * (c.input_tokens + c.output_tokens)) for c in pipelines.values()),
        ),
        ("million USD a month at list price", *(money(month * total(report.bill(name)) / 1e6) for name in pipelines)),
    ]
    return TextTable((f"at {GOAL:,} jobs/s", *pipelines), tuple(rows), right=len(pipelines))
