"""One benchmark job as its watcher sees it: 200 tokens, each with the time at which the model sent it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

TOKENS = 200
FIRST_TOKEN_MS = 50
TOKEN_MS = 5
LONGEST_JOB_SECONDS = 60.0
BEHAVIOUR = {"tokens": TOKENS, "timestamps": True, "first_token_ms": FIRST_TOKEN_MS, "token_ms": TOKEN_MS}
"""The script of the model, which is the same for every system that is compared."""

STAMP = re.compile(rb"\b\d{19}\b")
INPUT = {"pageOrComponent": "Benchmark", "featureType": "optimization", "priorityLevel": "high"}
REQUEST = {"pipeline": "suggestion", "input": INPUT}


class BenchmarkBroken(Exception):
    """A job did not do what the benchmark measures."""


@dataclass(slots=True)
class WatchedJob:
    """The times of one job in milliseconds, measured with this machine's clock."""

    job_id: str = ""
    create_ms: float = 0
    first_delta_ms: float = 0
    lags_ms: list[float] = field(default_factory=list)
    total_ms: float = 0

    @property
    def added_to_first_delta_ms(self) -> float:
        """Return the time from the creation to the first text, minus the model's time for its first token."""
        return self.first_delta_ms - FIRST_TOKEN_MS


async def watch_job(client: httpx.AsyncClient, api_url: str, token: str, *, watchers: int = 1) -> WatchedJob:
    """Create one job and read its stream to the end, once per watcher; return what the last watcher received."""
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


async def watch_job_over_channel(client: httpx.AsyncClient, api_url: str, channel_url: str, token: str) -> WatchedJob:
    """Create one job and follow it over the channel, on a connection that is open before, as a page's is."""
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(
        channel_url, additional_headers=headers, subprotocols=[Subprotocol("millrace.v1")], proxy=None
    ) as connection:
        began = time.time_ns()
        answer = await client.post(f"{api_url}/jobs", json=REQUEST, headers=headers)
        create_ms = _since(began)
        if answer.status_code != 202:
            raise BenchmarkBroken(answer.text)
        job = WatchedJob(job_id=answer.json()["data"]["jobId"], create_ms=create_ms)
        await connection.send(json.dumps({"type": "subscribe", "id": "1", "topic": f"job:{job.job_id}", "after": 0}))
        events: dict[int, dict[str, Any]] = {}
        try:
            async with asyncio.timeout(LONGEST_JOB_SECONDS):
                await _follow(connection, job, began, events)
        except TimeoutError:
            last = list(events.items())[-3:]
            waited = f"{job.job_id}: not at its end after {LONGEST_JOB_SECONDS:.0f} s"
            raise BenchmarkBroken(f"{waited}; {len(events)} events, the last ones: {last}") from None
    return job


async def _follow(connection: ClientConnection, job: WatchedJob, began: int, events: dict[int, dict[str, Any]]) -> None:
    """Read messages to the job's end into `events`. An event counts when it arrives first: some are sent twice."""
    async for text in connection:
        now = time.time_ns()
        message = json.loads(text)
        for seq, event in message.get("events", ()):
            if seq in events:
                continue
            events[seq] = event
            if event["type"] == "delta":
                job.first_delta_ms = job.first_delta_ms or (now - began) / 1e6
                job.lags_ms += [(now - int(stamp)) / 1e6 for stamp in STAMP.findall(event["text"].encode())]
        if message["type"] == "error":
            raise BenchmarkBroken(str(text))
        if any(event["type"] == "complete" for _, event in message.get("events", ())):
            break
    job.total_ms = _since(began)
    _check_events(job, [events[seq] for seq in sorted(events)])


async def _watch(
    client: httpx.AsyncClient, stream_url: str, headers: dict[str, str], job: WatchedJob, began: int
) -> None:
    """Read one connection as bytes, because the client's own work uses the two cores that are measured."""
    body = bytearray()
    async with client.stream("GET", stream_url, headers=headers) as answer:
        async for piece in answer.aiter_raw():
            now = time.time_ns()
            body += piece
            if not job.first_delta_ms and b"event: delta" in piece:
                job.first_delta_ms = (now - began) / 1e6
            stamps = STAMP.findall(piece.partition(b"event: complete")[0])  # the result repeats them
            job.lags_ms += [(now - int(stamp)) / 1e6 for stamp in stamps]
    job.total_ms = _since(began)
    _check(job, body.decode())


def _check(job: WatchedJob, body: str) -> None:
    _check_events(
        job, [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    )


def _check_events(job: WatchedJob, datas: list[dict[str, Any]]) -> None:
    """Check that the deltas together are the result. Raises: BenchmarkBroken if text is lost or repeated."""
    text = "".join(data["text"] for data in datas if data["type"] == "delta")
    if datas[-1]["type"] != "complete" or _stripped(json.loads(text)) != _stripped(datas[-1]["result"]):
        last = str(datas[-1])[-300:]
        raise BenchmarkBroken(f"{job.job_id}: {len(text)} characters, then {last} after {job.total_ms:.0f} ms")


def _stripped(value: Any) -> Any:
    """Return the value without the spaces around texts, which validation removes."""
    match value:
        case str():
            return value.strip()
        case list():
            return [_stripped(each) for each in value]
        case dict():
            return {key: _stripped(each) for key, each in value.items()}
        case _:
            return value


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def _since(began: int) -> float:
    return (time.time_ns() - began) / 1e6
