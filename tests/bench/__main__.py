"""`make bench`: measure the peers' job on the local stack, and compare the medians of many jobs with the targets."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.bench.watched_job import BEHAVIOUR, TOKENS, WatchedJob, percentile, watch_job, watch_job_over_channel
from tests.dynamodb_local.engine import DynamoDbLocal, missing

WARM_UP = 5
CONCURRENT = 20


@dataclass(frozen=True, slots=True)
class Usage:
    """What the stack's processes have used until now; `seconds` of CPU per process."""

    seconds: dict[str, float]
    megabytes: float

    def spent_since(self, before: Usage) -> dict[str, float]:
        return {name: seconds - before.seconds[name] for name, seconds in self.seconds.items()}


def usage_of(stack: LocalStack) -> Usage:
    ticks = os.sysconf("SC_CLK_TCK")
    seconds, pages = {}, 0
    for name, pid in stack.pids().items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds[name] = (int(fields[11]) + int(fields[12])) / ticks
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


async def one_at_a_time(stack: LocalStack, jobs: int) -> list[WatchedJob]:
    async with httpx.AsyncClient(timeout=60) as client:
        return [await watch_job(client, stack.api_url, stack.token("bench")) for _ in range(jobs)]


async def both_ways(stack: LocalStack, jobs: int) -> tuple[list[WatchedJob], list[WatchedJob]]:
    """Watch each second job over the channel and the others over SSE, so that both meet the same moments."""
    async with httpx.AsyncClient(timeout=60) as client:
        streamed, channelled = [], []
        for _ in range(jobs):
            streamed.append(await watch_job(client, stack.api_url, stack.token("bench")))
            channelled.append(
                await watch_job_over_channel(client, stack.api_url, stack.channel_url, stack.token("bench"))
            )
    return streamed, channelled


async def side_by_side(stack: LocalStack, jobs: int) -> tuple[list[WatchedJob], float]:
    """Start each client's next job when its last has ended; return the jobs and the seconds that they took."""
    limits = httpx.Limits(max_connections=CONCURRENT * 2)
    async with httpx.AsyncClient(timeout=120, limits=limits) as client:
        tokens = [stack.token(f"bench-{number}") for number in range(CONCURRENT)]
        share = jobs // CONCURRENT

        async def client_with(token: str) -> list[WatchedJob]:
            return [await watch_job(client, stack.api_url, token) for _ in range(share)]

        began = time.monotonic()
        done = await asyncio.gather(*(client_with(token) for token in tokens))
        return [job for jobs_of_one in done for job in jobs_of_one], time.monotonic() - began


def report(alone: list[WatchedJob], together: list[WatchedJob], jobs_per_second: float) -> Table:
    title = f"{TOKENS} tokens, one every 5 ms, after 50 ms; one client per job over SSE"
    table = Table(title=title, title_justify="left")
    for heading in ("figure", "measured", "target"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")

    def row(figure: str, values: Sequence[float], high: int, target: str) -> None:
        table.add_row(figure, f"{statistics.median(values):.1f} / {percentile(values, high):.1f}", target)

    lags = [lag for job in alone for lag in job.lags_ms]
    row("create to answer p50/p95, ms", [job.create_ms for job in alone], 95, "50 / –")
    row("added time to first delta p50/p95, ms", [job.added_to_first_delta_ms for job in alone], 95, "150 / –")
    row("first token to first delta p50/p95, ms", [job.lags_ms[0] for job in alone], 95, "–")
    row("delivery lag p50/p99, ms", lags, 99, "60 / 160")
    table.add_row(f"jobs/s at {CONCURRENT} concurrent", f"{jobs_per_second:.1f}", "10")
    row(f"delivery lag p50/p99 at {CONCURRENT}, ms", [lag for job in together for lag in job.lags_ms], 99, "– / 400")
    row(f"create p50/p95 at {CONCURRENT}, ms", [job.create_ms for job in together], 95, "–")
    return table


def compared(streamed: list[WatchedJob], channelled: list[WatchedJob]) -> Iterator[str]:
    """Yield the delivery lag of both ways, and the channel's as a multiple of SSE's."""
    over = {
        name: [lag for job in jobs for lag in job.lags_ms]
        for name, jobs in (("SSE", streamed), ("channel", channelled))
    }
    figures = {name: (statistics.median(lags), percentile(lags, 99)) for name, lags in over.items()}
    for name, (median, high) in figures.items():
        yield f"delivery lag over {name}, {len(over[name])} tokens, p50/p99: {median:.1f} / {high:.1f} ms"
    ratios = [channel / sse for sse, channel in zip(figures["SSE"], figures["channel"], strict=True)]
    yield f"channel / SSE: {ratios[0]:.2f} / {ratios[1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--jobs", type=int, default=60, help="one at a time; at least 50 for medians worth the name")
    parser.add_argument("--together", type=int, default=100, help=f"with {CONCURRENT} at a time")
    parser.add_argument("--both", type=int, default=30, help="one at a time over SSE, and as many over the channel")
    parser.add_argument("--dynamodb-local", action="store_true", help="on AWS's own engine instead of moto's tables")
    parser.add_argument("--published-latency", action="store_true", help="a store that answers no sooner than on AWS")
    options = parser.parse_args()
    console = Console(width=110)
    with contextlib.ExitStack() as open_until_done:
        engine_url = None
        if options.dynamodb_local:
            if reason := missing():
                raise SystemExit(reason)
            engine_url = open_until_done.enter_context(DynamoDbLocal()).url
        limits = {**WITHOUT_RATE_LIMITS, "CONNECTION_OPENS_PER_MINUTE": "100000"}
        stack = open_until_done.enter_context(
            LocalStack(environment=limits, dynamodb_url=engine_url, published_latency=options.published_latency)
        )
        control = stack.model_url.removesuffix("/v1") + "/_script"
        httpx.post(control, json={"match": None, "times": None, "behaviour": BEHAVIOUR}).raise_for_status()
        asyncio.run(one_at_a_time(stack, WARM_UP))
        alone = asyncio.run(one_at_a_time(stack, options.jobs))
        streamed, channelled = asyncio.run(both_ways(stack, options.both))
        before, client_before = usage_of(stack), time.process_time()
        together, seconds = asyncio.run(side_by_side(stack, options.together))
        after, client_seconds = usage_of(stack), time.process_time() - client_before
        units = [stack.capacity(job.job_id) for job in alone]
    console.print(report(alone, together, len(together) / seconds))
    for line in compared(streamed, channelled):
        console.print(line)
    spent = {name: each / len(together) for name, each in after.spent_since(before).items()}
    parts = ", ".join(f"{name} {each:.3f}" for name, each in spent.items())
    console.print(f"CPU s per job at {CONCURRENT}: {sum(spent.values()):.3f} ({parts}); target 0.15")
    console.print(f"CPU s per job of this client: {client_seconds / len(together):.3f}")
    console.print(f"memory of the stack: {after.megabytes:.0f} MB")
    writes = statistics.median(each["writeUnits"] for each in units)
    reads = statistics.median(each["readUnits"] for each in units)
    console.print(f"DynamoDB units per job: {writes:.0f} write, {reads:.1f} read")


if __name__ == "__main__":
    main()
