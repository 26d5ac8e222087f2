"""Measure one system: one job, twenty concurrent jobs, dropped connections and a killed worker."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.model.control import ModelControl
from tests.bench.peers.losses import Losses
from tests.bench.peers.process import NotStarted
from tests.bench.peers.system import System
from tests.bench.peers.watching import SUBJECT, Seen, watch
from tests.bench.watched_job import BEHAVIOUR, TOKENS, BenchmarkBroken

CONCURRENT = 20
WARM_UP = 3
DROP_AT = (40, 110, 170)
"""Tokens after which a client drops its connection, three times in one job."""

KILL_AT = 80
OTHER_USER = 1
OTHER_JOBS_EVERY = 2.0
"""Seconds between other users' jobs during the wait for a job whose worker was killed."""

PATIENCE_SECONDS = 40.0
"""The longest time in seconds that a watcher waits for a job whose worker was killed."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """The number of jobs per figure."""

    alone: int
    together: int
    dropped: int
    killed: int

    @classmethod
    def of(cls, rounds: int) -> Rounds:
        return cls(alone=10 * rounds, together=2 * CONCURRENT * rounds, dropped=3 * rounds, killed=rounds)


@dataclass(frozen=True, slots=True)
class Killed:
    """`end`: complete, error, forgotten, or never; `seconds` from the kill to that end as the watcher saw it."""

    losses: Losses
    model_calls: int
    end: str
    seconds: float
    resets: int


@dataclass(slots=True)
class Speed:
    alone: list[Seen]
    together: list[Seen]
    jobs_per_second: float
    cpu_seconds_per_job: float
    megabytes: float


@dataclass(slots=True)
class Measured:
    speed: Speed | None = None
    paced: list[Losses] = field(default_factory=list)
    at_full_speed: list[Losses] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)


class Bench:
    def __init__(self, model: ModelControl, rounds: Rounds) -> None:
        self._model = model
        self._rounds = rounds

    def speed_of(self, system: System) -> Speed:
        self._pace()
        asyncio.run(self._jobs(system, WARM_UP))
        alone = asyncio.run(self._jobs(system, self._rounds.alone))
        before, began = system.usage(), time.monotonic()
        together = asyncio.run(self._side_by_side(system))
        seconds, after = time.monotonic() - began, system.usage()
        for seen in (*alone, *together):
            if seen.end != "complete" or seen.losses != Losses():
                raise BenchmarkBroken(f"{system.name}: ended {seen.end or 'never'}, lost / repeated {seen.losses}")
        spent = (after.cpu_seconds - before.cpu_seconds) / len(together)
        return Speed(alone, together, len(together) / seconds, spent, after.megabytes)

    def dropped(self, system: System, *, token_ms: float) -> list[Losses]:
        self._pace(token_ms=token_ms)
        return [seen.losses for seen in asyncio.run(self._jobs(system, self._rounds.dropped, drop_at=DROP_AT))]

    def killed(self, system: System) -> list[Killed]:
        return [asyncio.run(self._kill(system)) for _ in range(self._rounds.killed)]

    def _pace(self, **changes: float) -> None:
        self._model.clear()
        behaviour: dict[str, Any] = {**BEHAVIOUR, **changes}
        self._model.script(**behaviour)

    async def _jobs(self, system: System, count: int, *, drop_at: tuple[int, ...] = ()) -> list[Seen]:
        async with _client() as client:
            return [await watch(client, system, drop_at=drop_at) for _ in range(count)]

    async def _side_by_side(self, system: System) -> list[Seen]:
        """Start each client's next job when its last has ended, and return all jobs."""
        async with _client() as client:

            async def jobs_of(user: int) -> list[Seen]:
                return [await watch(client, system, user=user) for _ in range(self._rounds.together // CONCURRENT)]

            done = await asyncio.gather(*(jobs_of(user) for user in range(CONCURRENT)))
            return [seen for jobs in done for seen in jobs]

    async def _kill(self, system: System) -> Killed:
        self._pace()
        killing: list[asyncio.Task[None]] = []
        killed_at = time.monotonic()

        def kill() -> None:
            nonlocal killed_at
            killed_at = time.monotonic()
            killing.append(asyncio.create_task(asyncio.to_thread(system.kill_worker)))

        async with _client() as client:
            others = asyncio.create_task(_other_jobs(client, system))
            seen = await watch(client, system, at=(KILL_AT, kill), patience=PATIENCE_SECONDS)
            others.cancel()
            await asyncio.wait([others, *killing])
        for task in killing:
            with contextlib.suppress(NotStarted):  # then it never ended, as its watcher saw
                task.result()
        if not killing:
            raise BenchmarkBroken(f"{seen.tokens} of {TOKENS} tokens in {PATIENCE_SECONDS:.0f} s, before any kill")
        asked = [request["messages"][-1]["content"] for request in self._model.requests()]
        calls = sum(SUBJECT in content for content in asked)
        return Killed(seen.losses, calls, seen.end or "never", seen.ended_at - killed_at, seen.resets)


async def _other_jobs(client: httpx.AsyncClient, system: System) -> None:
    """Start other users' jobs without watchers, because some systems recover a killed worker's job at the next one."""
    while True:
        await asyncio.sleep(OTHER_JOBS_EVERY)
        with contextlib.suppress(httpx.HTTPError):
            await system.create(client, OTHER_USER, "Others")


def _client() -> httpx.AsyncClient:
    # Plain HTTP: a context of httpx's own would read the machine's certificates.
    limits = httpx.Limits(max_connections=CONCURRENT * 2)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(timeout=60, limits=limits, trust_env=False, verify=plain)
