"""`make bench-growth`: CPU per job at 1 to 200 jobs at once, CPU per kB of outputs to 2 MB, memory after 2,000 jobs."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.apps.suggestions.requests import output_of
from tests.bench.__main__ import usage_of
from tests.bench.load import script
from tests.bench.watched_job import BEHAVIOUR, watch_job

AT_ONCE = {1: 20, 10: 60, 50: 150, 200: 400}
"""How many jobs run at once → how many are run to measure their CPU."""

OUTPUT_KB = {1: 20, 10: 20, 100: 10, 500: 3, 1_900: 2}
"""The size of an output → how many jobs have it. The schema of suggestions allows 2 MB."""

TOKEN_BYTES, TOKEN_MS = 250, 5
"""50 kB a second, so that a job's duration is proportional to its output."""

FEW, MANY = 20, 2_000
"""The numbers of jobs after which memory is measured."""

SHORT = {"tokens": 20, "token_ms": 0}
"""The model's script for the jobs between FEW and MANY."""


@dataclass(slots=True)
class Spent:
    """What the stack has used between two moments: CPU in seconds, and the time of the clock."""

    cpu: float = 0.0
    seconds: float = 0.0


@contextmanager
def measured(stack: LocalStack) -> Iterator[Spent]:
    before, began, spent = usage_of(stack), time.monotonic(), Spent()
    yield spent
    spent.cpu = sum(usage_of(stack).spent_since(before).values())
    spent.seconds = time.monotonic() - began


async def run(stack: LocalStack, jobs: int, *, at_once: int) -> None:
    """Run the jobs, each with one watcher; each client starts its next job when its last has ended."""
    left = iter(range(jobs))
    # Shorter than the 5 s after which the server closes an idle connection, which a request may meet.
    limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=600, limits=limits) as client:

        async def client_of(number: int) -> None:
            token = stack.token(f"growth-{number}")
            for _ in left:
                await watch_job(client, stack.api_url, token)

        await asyncio.gather(*(client_of(number) for number in range(at_once)))


def memory_after(stack: LocalStack, jobs: int, before: int) -> float:
    """Return the megabytes of the stack after `jobs` jobs in all, `before` of which have been run."""
    script(stack, SHORT)
    asyncio.run(run(stack, jobs - before, at_once=20))
    time.sleep(2)  # archive and webhooks of the last jobs
    return usage_of(stack).megabytes


def concurrency(stack: LocalStack) -> Table:
    table = Table(title="200 tokens, one every 5 ms, one watcher per job", title_justify="left")
    for heading in ("jobs at once", "jobs", "jobs/s", "CPU s per job", "of that at 10"):
        table.add_column(heading, justify="right")
    script(stack, BEHAVIOUR)
    found: dict[int, tuple[float, float]] = {}
    for at_once, jobs in AT_ONCE.items():
        with measured(stack) as spent:
            asyncio.run(run(stack, jobs, at_once=at_once))
        found[at_once] = spent.cpu / jobs, jobs / spent.seconds
    for at_once, (cpu, rate) in found.items():
        table.add_row(str(at_once), str(AT_ONCE[at_once]), f"{rate:.1f}", f"{cpu:.3f}", f"{cpu / found[10][0]:.2f}")
    return table


def outputs(stack: LocalStack) -> Table:
    table = Table(title="outputs at 50 kB a second, one job at a time, one watcher", title_justify="left")
    for heading in ("kB", "jobs", "CPU s per job", "CPU ms per kB beyond the first"):
        table.add_column(heading, justify="right")
    smallest = next(iter(OUTPUT_KB))
    first = 0.0
    for kilobytes, jobs in OUTPUT_KB.items():
        text = output_of(kilobytes)
        script(stack, {"text": text, "tokens": max(1, len(text.encode()) // TOKEN_BYTES), "token_ms": TOKEN_MS})
        with measured(stack) as spent:
            asyncio.run(run(stack, jobs, at_once=1))
        cpu = spent.cpu / jobs
        first = first or cpu
        more = f"{(cpu - first) / (kilobytes - smallest) * 1000:.2f}" if kilobytes > smallest else "–"
        table.add_row(f"{kilobytes:,}", str(jobs), f"{cpu:.3f}", more)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__)
    parser.add_argument("--only", choices=["memory", "jobs", "outputs"], help="measure one of the three")
    options = parser.parse_args()
    console = Console(width=110)

    def wanted(part: str) -> bool:
        return options.only in {None, part}

    if wanted("memory"):
        with LocalStack(environment=WITHOUT_RATE_LIMITS) as stack:
            few = memory_after(stack, FEW, 0)
            many = memory_after(stack, MANY, FEW)
        console.print(
            f"memory of the stack after {FEW} jobs: {few:.0f} MB, after {MANY}: {many:.0f} MB, {many / few:.2f} times"
        )
    if wanted("jobs") or wanted("outputs"):
        with LocalStack(environment=WITHOUT_RATE_LIMITS) as stack:
            script(stack, BEHAVIOUR)
            asyncio.run(run(stack, 20, at_once=10))
            if wanted("jobs"):
                console.print(concurrency(stack))
            if wanted("outputs"):
                console.print(outputs(stack))


if __name__ == "__main__":
    main()
