"""`make bench-load`: measure many concurrent jobs with two watchers each, and outputs of 1, 10 and 100 kB."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping

import httpx
from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.apps.suggestions.requests import output_of
from tests.bench.watched_job import BEHAVIOUR, TOKENS, WatchedJob, percentile, watch_job

WATCHERS = 2
AT_ONCE = (1, 10, 50)
OUTPUT_KB = (1, 10, 100)
PEERS_CHARACTERS = TOKENS * 21
"""The approximate size of 200 tokens with their time stamps and the JSON around them."""

TOKEN_BYTES, TOKEN_MS = 25, 5
"""Five kilobytes per second, so that the duration is proportional to the size of the output."""


async def at_once(stack: LocalStack, jobs: int) -> list[WatchedJob]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=120, limits=limits) as client:
        tokens = [stack.token(f"load-{number}") for number in range(jobs)]
        return await asyncio.gather(*(watch_job(client, stack.api_url, token, watchers=WATCHERS) for token in tokens))


def script(stack: LocalStack, behaviour: Mapping[str, object]) -> None:
    control = stack.model_url.removesuffix("/v1") + "/_script"
    httpx.delete(control).raise_for_status()
    httpx.post(control, json={"match": None, "times": None, "behaviour": behaviour}).raise_for_status()


def row(table: Table, name: str, stack: LocalStack, jobs: list[WatchedJob], seconds: float, characters: int) -> None:
    units = [stack.capacity(job.job_id) for job in jobs]
    writes = statistics.median(each["writeUnits"] for each in units)
    reads = statistics.median(each["readUnits"] for each in units)
    lags = [lag for job in jobs for lag in job.lags_ms]
    lag = f"{statistics.median(lags):.0f} / {percentile(lags, 99):.0f}" if lags else "–"
    table.add_row(
        name,
        f"{characters / 1000:.1f}",
        lag,
        f"{seconds:.1f}",
        f"{writes:.0f}",
        f"{reads:.0f}",
        f"{writes / characters * 1000:.1f}",
        f"{reads / characters * 1000:.1f}",
    )


def main() -> None:
    table = Table(title=f"{WATCHERS} watchers per job", title_justify="left")
    for heading in ("run", "kB", "lag p50/p99 ms", "s", "write units", "read units", "write/kB", "read/kB"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    with LocalStack(environment=WITHOUT_RATE_LIMITS) as stack:
        script(stack, BEHAVIOUR)
        asyncio.run(at_once(stack, 3))
        for jobs in AT_ONCE:
            began = time.monotonic()
            done = asyncio.run(at_once(stack, jobs))
            row(table, f"{jobs} jobs at once", stack, done, time.monotonic() - began, PEERS_CHARACTERS)
        for kilobytes in OUTPUT_KB:
            text = output_of(kilobytes)
            tokens = max(1, len(text) // TOKEN_BYTES)
            script(stack, {"text": text, "tokens": tokens, "token_ms": TOKEN_MS})
            began = time.monotonic()
            done = asyncio.run(at_once(stack, 1))
            row(table, f"{kilobytes} kB output", stack, done, time.monotonic() - began, len(text))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
