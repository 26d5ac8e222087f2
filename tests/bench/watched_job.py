"""One benchmark job as its client sees it: 200 tokens, each carrying the time at which the model sent it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

TOKENS = 200
FIRST_TOKEN_MS = 50
TOKEN_MS = 5
BEHAVIOUR = {"tokens": TOKENS, "timestamps": True, "first_token_ms": FIRST_TOKEN_MS, "token_ms": TOKEN_MS}
"""What the scripted model is told: the job that all systems of this field are compared by."""

STAMP = re.compile(rb"\b\d{19}\b")
REQUEST = {
    "pipeline": "suggestion",
    "input": {"pageOrComponent": "Benchmark", "featureType": "optimization", "priorityLevel": "high"},
}


class BenchmarkBroken(Exception):
    """A job did not do what is being measured."""


@dataclass(slots=True)
class WatchedJob:
    """Milliseconds, each measured on the one clock of this machine."""

    job_id: str = ""
    create_ms: float = 0
    first_delta_ms: float = 0
    lags_ms: list[float] = field(default_factory=list)
    total_ms: float = 0

    @property
    def added_to_first_delta_ms(self) -> float:
        """From asking for the job to its first text, less the time the model itself took for its first token."""
        return self.first_delta_ms - FIRST_TOKEN_MS


async def watch_job(client: httpx.AsyncClient, api_url: str, token: str, *, watchers: int = 1) -> WatchedJob:
    """Create one job and read its stream to the end, once per watcher; answers what the last watcher saw."""
    headers = {"Authorization": f"Bearer {token}"}
    began = time.time_ns()
    answer = await client.post(f"{api_url}/jobs", json=REQUEST, headers=headers)
    create_ms = _since(began)
    if answer.status_code != 202:
        raise BenchmarkBroken(answer.text)
    accepted = answer.json()["data"]
    seen = [WatchedJob(job_id=accepted["jobId"], create_ms=create_ms) for _ in range(watchers)]
    await asyncio.gather(*(_watch(client, accepted["streamUrl"], headers, job, began) for job in seen))
    return seen[-1]


async def _watch(
    client: httpx.AsyncClient, stream_url: str, headers: dict[str, str], job: WatchedJob, began: int
) -> None:
    """Read one connection as bytes: what the client itself costs is taken from the two cores being measured."""
    end = b""
    async with client.stream("GET", stream_url, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            now = time.time_ns()
            stamps = STAMP.findall(piece.partition(b"event: complete")[0])  # the result repeats them
            if stamps:
                job.first_delta_ms = job.first_delta_ms or (now - began) / 1e6
                job.lags_ms += [(now - int(stamp)) / 1e6 for stamp in stamps]
            elif not job.first_delta_ms and b"event: delta" in piece:
                job.first_delta_ms = (now - began) / 1e6
            end = end[-20:] + piece
    if b"event: complete" not in end:
        raise BenchmarkBroken(f"{job.job_id}: {end[-500:].decode()} after {_since(began):.0f} ms")
    job.total_ms = _since(began)


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def _since(began: int) -> float:
    return (time.time_ns() - began) / 1e6
