"""Format a report as tables of text, which the terminal and the pages share."""

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
    """Rows of cells under headings. The last `right` columns are numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: int = 0

    def as_markdown(self) -> str:
        """Return the table in Markdown."""
        first = len(self.headings) - self.right
        rule = ["---" if number < first else "---:" for number in range(len(self.headings))]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.headings, rule, *self.rows))


def money(usd: float) -> str:
    """Return dollars with about three significant digits, to a hundredth of a cent at most."""
    if usd == 0:
        return "0"
    return f"{usd:,.2f}" if abs(usd) >= 1 else f"{usd:.3f}" if abs(usd) >= 0.1 else f"{usd:.4f}"


def number(value: float) -> str:
    """Return a number with about three significant digits, or all digits of a whole number."""
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
    """Return a bill as a table, the most expensive line first, without lines whose count is 0."""
    ordered = sorted((line for line in lines if line.count), key=lambda line: -line.usd)
    rows = [(line.what, number(line.count), _price(line), money(line.usd)) for line in ordered]
    rows.append(("**total**", "", "", f"**{money(total(list(lines)))}**"))
    return TextTable(("what", count, "USD per unit", usd), tuple(rows), right=3)


def _price(line: Line) -> str:
    price = line.price
    quantity = {1: "", 1000: "1,000 ", 1_000_000: "million "}[price.per]
    return f"{price.usd:.10g} / {quantity}{price.unit.partition(',')[0].partition(' of ')[0].partition(' beyond')[0]}"


def pipeline_table(report: Report, pipeline: str) -> TextTable:
    """Return the bill for 1,000 jobs of a pipeline."""
    return bill_table(report.bill(pipeline), "count per job", f"USD per {JOBS:,} jobs")


def idle_table(report: Report, configuration: str) -> TextTable:
    """Return the bill for a month without requests."""
    return bill_table(report.idle(configuration), "count per month", "USD per month")


def in_use_table(report: Report) -> TextTable:
    """Return what is added to the idle month if every hour has jobs."""
    return bill_table(report.in_use, "count per month", "USD per month")


def summary_table(report: Report) -> TextTable:
    """Return the most important figures, with one column for each pipeline."""
    pipelines = report.measured.pipelines

    def share(names: tuple[str, ...], pipeline: str) -> str:
        lines = report.bill(pipeline)
        return f"{sum(line.usd for line in lines if line.what.startswith(names)) / total(lines):.0%}"

    rows = [
        (f"**USD per {JOBS:,} jobs**", *(f"**{money(total(report.bill(name)))}**" for name in pipelines)),
        ("share of Step Functions", *(share(("Step Functions",), name) for name in pipelines)),
        ("share of Lambda", *(share(("Lambda", "SnapStart"), name) for name in pipelines)),
        ("share of DynamoDB", *(share(("DynamoDB", "point-in-time"), name) for name in pipelines)),
        (
            "each further second of model output, one watcher",
            *("–" if (usd := report.further_second(n)) is None else money(usd) for n in pipelines),
        ),
        ("each further watcher, at this speed of the model", *(money(_watcher(report, n)) for n in pipelines)),
        ("seconds from the request to the last event", *(number(counts.seconds) for counts in pipelines.values())),
        (
            f"model tokens, not included: {next(iter(pipelines.values())).model}, input and output per job",
            *(f"{number(c.input_tokens)}, {number(c.output_tokens)}" for c in pipelines.values()),
        ),
        (
            f"model tokens, not included: USD per {JOBS:,} jobs",
            *(money(report.model_prices[name].for_jobs(counts)) for name, counts in pipelines.items()),
        ),
    ]
    return TextTable(("", *pipelines), tuple(rows), right=len(pipelines))


def _watcher(report: Report, pipeline: str) -> float:
    """Return the price of one watcher on Lambda; its reads, logs and trace add about a tenth."""
    counts = report.measured.pipelines[pipeline]
    stream = counts.functions["stream_job"]
    gb_seconds, times = stream.gb_seconds(report.factor), stream.times
    return report.prices["lambda_gb_second"].of(gb_seconds * JOBS) + report.prices["lambda_request"].of(times * JOBS)


def savings_tables(report: Report) -> tuple[TextTable, TextTable]:
    """Return two tables of savings: for 1,000 jobs, and for a month."""
    pipelines = report.measured.pipelines
    jobs = [
        (row[0].what, row[0].drawback, *(money(saving.usd) for saving in row))
        for row in for_jobs(pipelines, report.prices, report.factor)
    ]
    month = [
        (saving.what, saving.drawback, money(saving.usd))
        for saving in for_a_month(report.deployed, len(report.measured.routes), report.prices)
    ]
    return (
        TextTable(
            ("saving", "drawback", *(f"{name}, USD per {JOBS:,}" for name in pipelines)), tuple(jobs), len(pipelines)
        ),
        TextTable(("saving", "drawback", "USD per month"), tuple(month), 1),
    )


def comparison_table(report: Report) -> TextTable:
    """Return what a month costs for some numbers of jobs here and elsewhere, without the model."""
    prices = report.prices
    hours = MONTH_HOURS
    tasks = 2 * (prices["fargate_vcpu_hour"].of(0.5 * hours) + prices["fargate_gb_hour"].of(hours))
    box = tasks + prices["load_balancer_hour"].of(hours) + prices["valkey_gb_hour"].of(0.1 * hours)
    rows = []
    for jobs in (0, 1_000, 10_000, 100_000, 1_000_000):
        ours = (money(_month(report, configuration, jobs)) for configuration in report.deployments)
        rows.append((f"{jobs:,}", *ours, money(box), money(prices["langsmith_run"].of(jobs))))
    named = (f"Millrace, {configuration}" for configuration in report.deployments)
    headings = ("suggestion jobs a month", *named, "always-on box", "managed platform, runs alone")
    return TextTable(headings, tuple(rows), right=len(headings) - 1)


def _month(report: Report, configuration: str, jobs: int) -> float:
    """Return the dollars of a month with that many suggestion jobs."""
    base = total(report.idle(configuration)) + (total(report.in_use) if jobs else 0.0)
    return base + jobs / JOBS * total(report.bill("suggestion", configuration))


def limits_table(report: Report) -> TextTable:
    """Return every limit, what a job uses of it, and the jobs per second at which it is reached; the lowest first."""
    pipelines = report.measured.pipelines
    needs = {name: needs_of(counts) for name, counts in pipelines.items()}

    def lowest(limit: Limit) -> float:
        reached = [limit.jobs_per_second(each) for each in needs.values()]
        return min((each for each in reached if each is not None), default=float("inf"))

    rows = [
        (
            f"[{limit.what}]({limit.source})",
            f"{number(limit.value)} {limit.unit}",
            " / ".join(number(each[limit.need]) for each in needs.values()),
            " / ".join(_jobs_per_second(limit.jobs_per_second(each)) for each in needs.values()),
            f"{number(GOAL / lowest(limit))} times" if lowest(limit) < GOAL else "enough",
            limit.raised_by,
        )
        for limit in sorted(limits(report.deployed), key=lowest)
    ]
    names = " / ".join(pipelines)
    headings = (
        "limit",
        "default",
        f"a job uses ({names})",
        "reached at jobs/s",
        f"for {GOAL:,} jobs/s",
        "what raises it",
    )
    return TextTable(headings, tuple(rows))


def _jobs_per_second(jobs: float | None) -> str:
    return "–" if jobs is None else number(jobs)


def partition_table(report: Report) -> TextTable:
    """Return what one job uses of its DynamoDB partition, which it shares with no other job."""
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
    """Return what the goal requires of AWS and of the model, and what it costs."""
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
