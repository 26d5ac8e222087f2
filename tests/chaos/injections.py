"""Inject the faults of a job's plan: kill, lose, pause, delay and throttle attempts, and cancel the job."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.model.control import ModelControl
from local.stack import Held, LocalStack
from tests.chaos.application import Application, states
from tests.chaos.plan import Action, Cancel, Kill, KillAtCall, KillAtModelCall, LateStart, Moment, Straggle, Throttle
from tests.chaos.watcher import Sights

_LONGEST_PAUSE = 20.0
"""Seconds after which a paused process continues, even if no newer attempt starts."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One injected fault: its kind, its time (Unix seconds) and its attempt."""

    what: str
    at: float
    detail: str = ""


@dataclass(slots=True)
class Injector:
    """Executes the actions of one job's plan; `api` is the owner's client, `page` the job's unique name.

    `held` is the call that the stack holds for a KillAtCall.
    """

    stack: LocalStack
    model_url: str
    application: Application
    api: httpx.AsyncClient
    job_id: str
    sights: Sights
    page: str
    held: Held | None = None
    done: list[Injected] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def carry_out(self, action: Action) -> None:
        """Execute the action at its moment; if the job ends before that moment, record the action as missed."""
        if not await self._reach_moment_of(action):
            self._note(f"missed: {type(action).__name__.lower()}", "the job ended first")
            return
        match action:
            case Kill():
                await self._kill()
            case KillAtCall():
                assert self.held is not None
                (*_, call) = await asyncio.to_thread(self.held.calls)
                await self._kill(f"{'after' if action.executed else 'before'} {call}")
            case KillAtModelCall():
                await self._kill(str(action))
            case Straggle():
                await self._straggle(action)
            case LateStart():
                await self._start_late()
            case Throttle(operation=operation, count=count):
                await asyncio.to_thread(self.stack.inject_fault, operation, count=count, job_id=self.job_id)
                self._note("throttle", f"{count} x {operation}")
            case Cancel():
                await self._cancel()

    async def _reach_moment_of(self, action: Action) -> bool:
        match action:
            case KillAtCall():
                assert self.held is not None
                return await self._unless_ended(self.held)
            case KillAtModelCall():
                return await self._unless_ended(lambda: self._is_at(action))
            case _:
                return await self._reach(action.at)

    async def _unless_ended(self, condition: Callable[[], bool]) -> bool:
        """Wait for the condition; return false if the job ends before."""
        while not await asyncio.to_thread(condition):
            if self.sights.has_ended:
                return False
            await asyncio.sleep(0.02)
        return True

    def _is_at(self, action: KillAtModelCall) -> bool:
        with ModelControl(self.model_url) as control:
            calls = [each for each in control.requests() if self.page in str(each["messages"])]
        return len(calls) == action.number and calls[-1]["tokens_sent"] >= action.tokens

    async def _reach(self, moment: Moment) -> bool:
        if moment.sight != "attempt":
            return await self.sights.reach(moment)
        deadline = time.monotonic() + _LONGEST_PAUSE
        while time.monotonic() < deadline:
            attempt = await self._running()
            if attempt is not None and attempt["payload"].get("retry", 0) + 1 >= moment.count:
                await asyncio.sleep(moment.delay)
                return True
            await asyncio.sleep(0.03)
        return False

    async def _kill(self, when: str = "") -> None:
        attempt = await self._running(patience=1)
        if attempt is None:
            self._note("missed: kill", "nothing ran")
            return
        _send(attempt["pid"], signal.SIGKILL)
        self._note("kill", " ".join(filter(None, [_name(attempt), when])))

    async def _straggle(self, action: Straggle) -> None:
        attempt = await self._running(patience=1)
        if attempt is None:
            self._note("missed: straggle", "nothing ran")
            return
        pid = attempt["pid"]
        if action.pauses:
            _send(pid, signal.SIGSTOP)
        try:
            # If the attempt has ended, its process may run another job, and that attempt is not lost.
            if not await asyncio.to_thread(self.stack.abandon, attempt["requestId"]):
                self._note("missed: straggle", "it had ended")
                return
            self._note("straggle" if action.pauses else "lost but running", _name(attempt))
            if action.pauses:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_PAUSE):
                        await self.sights.reach(action.until)
        finally:
            if action.pauses:
                _send(pid, signal.SIGCONT)
                self._note("back", _name(attempt))

    async def _start_late(self) -> None:
        """Start the first attempt of the first stage, after a later attempt or stage has begun."""
        payload = {"jobId": self.job_id, "generation": 1, "retry": 0}
        url = f"{self.stack.api_url}/2015-03-31/functions/millrace-{self.application.stages[0]}/invocations"
        answer = (await self.api.post(url, json=payload)).json()
        self._note("late start", str(answer.get("errorType", "done")))
        # If that attempt has finished the stage, its second invocation returns the stored result and writes nothing.
        finished = answer.get("status") == "done"
        if not finished and answer.get("errorType") not in {
            "AttemptSuperseded",
            "JobEnded",
            "StorageThrottled",
            "Runtime.ExitError",
        }:
            self.problems.append(f"an attempt that started late was not refused but answered {answer}")

    async def _cancel(self) -> None:
        while True:
            answer = await self.api.post(f"/jobs/{self.job_id}/cancel")
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.2)
        self._note("cancel" if answer.is_success else "cancel refused", str(answer.status_code))
        if answer.status_code not in {200, 409}:
            self.problems.append(f"cancel was answered {answer.status_code}: {answer.text[:300]}")

    async def _running(self, *, patience: float = 0) -> dict[str, Any] | None:
        """Wait at most `patience` seconds for an attempt of the job that runs and is not lost; return the newest."""
        deadline = time.monotonic() + patience
        while True:
            records = await asyncio.to_thread(self.stack.invocations, f'"{self.job_id}"')
            running = [each for each in records if each["function"] in states() and not each["ended"]]
            running = [each for each in running if not each["abandoned"]]
            if running or time.monotonic() >= deadline:
                return running[-1] if running else None
            await asyncio.sleep(0.02)

    def _note(self, what: str, detail: str) -> None:
        self.done.append(Injected(what, time.time(), detail))


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _name(attempt: dict[str, Any]) -> str:
    return f"{attempt['function']} retry {attempt['payload'].get('retry', 0)}"
