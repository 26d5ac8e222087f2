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
from shared.jobs.ids import ulid_of
from tests.chaos.application import Application, Subject, states
from tests.chaos.plan import (
    Action,
    Cancel,
    Close,
    Duplicate,
    Kill,
    KillAtCall,
    KillAtModelCall,
    KillAtReset,
    KillAtWrite,
    KillChild,
    LateStart,
    Moment,
    Operate,
    Remedy,
    ResumeCall,
    Resumption,
    Straggle,
    StraggleAtCall,
    Throttle,
)
from tests.chaos.processes import children_of
from tests.chaos.watcher import Sights

_LONGEST_PAUSE = 20.0
"""Seconds after which a paused process continues, even if no newer attempt starts."""


LOST_AT_CALL = "straggle at a call"
"""What is noted of a StraggleAtCall."""

_LONGEST_INVOCATION = 240.0
"""Seconds that a direct invocation of a function may take."""

_STOPPED = {"AttemptSuperseded", "JobEnded", "StageUnfinished", "Runtime.ExitError"}
"""How an invocation ends if another one has the attempt, or if it was killed."""

_FAULTS = {
    "InvalidModelOutput",
    "ModelDisconnected",
    "ModelRateLimited",
    "ModelRefused",
    "ModelRejectedRequest",
    "ModelTimeout",
    "ModelUnavailable",
    "StorageThrottled",
    "StorageUnavailable",
}
"""The faults that scenarios inject, of the model and of DynamoDB."""

_RESUME_CALLS: dict[ResumeCall, tuple[tuple[str, ...], bool]] = {
    "job": (("", '"JOB"', '"pending"'), True),
    "reset": (("PutItem", "RESUMED"), True),
    "start": (("StartExecution",), False),
    "started": (("StartExecution",), True),
}
"""Each call's operation with texts that it contains, and whether resume_job is killed after its execution."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One injected fault: its kind, its time (Unix seconds) and its attempt."""

    what: str
    at: float
    detail: str = ""


@dataclass(slots=True)
class Injector:
    """Executes the actions of one job's plan; `api` is the owner's client, `page` the job's unique name.

    `subject` is the job's (`JobStory.subject`). `held` is the call that the stack holds for a KillAtCall.
    """

    stack: LocalStack
    model_url: str
    application: Application
    api: httpx.AsyncClient
    job_id: str
    sights: Sights
    page: str
    subject: Subject = field(default_factory=dict)
    held: Held | None = None
    done: list[Injected] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _ending: asyncio.Task[None] | None = None

    async def carry_out(self, action: Action) -> None:
        """Execute the action at its moment; if the job ends before that moment, record the action as missed.

        The record of a missed KillAtCall has the calls that the job has made instead, one a line.
        """
        if not await self._reach_moment_of(action):
            ended = "the job ended first"
            if isinstance(action, KillAtCall) and self.held is not None:
                ended = "\n".join(await asyncio.to_thread(self.held.calls))
            self.note(f"missed: {type(action).__name__.lower()}", ended)
            return
        match action:
            case Kill() | KillAtCall() | KillAtModelCall() | KillAtReset() | KillAtWrite() | KillChild():
                await self._kill_as(action)
            case Straggle():
                await self._straggle(action)
            case StraggleAtCall():
                await self._straggle_at_call(action)
            case Duplicate():
                await self._duplicate(late=action.late)
            case LateStart():
                await self._start_late()
            case Throttle(operation=operation, count=count):
                await asyncio.to_thread(self.stack.inject_fault, operation, count=count, job_id=self.job_id)
                self.note("throttle", f"{count} x {operation}")
            case Cancel() | Close() | Operate():
                await self._act_as_owner(action)

    async def _act_as_owner(self, action: Cancel | Close | Operate) -> None:
        match action:
            case Cancel():
                await self._cancel()
            case Close():
                await self._close()
            case Operate():
                await self._operate(action.operation)

    async def _kill_as(
        self, action: Kill | KillAtCall | KillAtModelCall | KillAtReset | KillAtWrite | KillChild
    ) -> None:
        match action:
            case Kill():
                await self._kill()
            case KillAtCall():
                assert self.held is not None
                (*_, call) = await asyncio.to_thread(self.held.calls)
                await self._kill(f"{'after' if action.executed else 'before'} {call}")
            case KillAtModelCall():
                await self._kill(str(action))
            case KillAtReset():
                await self._kill_at_resets(action.times)
            case KillAtWrite():
                await self._kill_at_write(action)
            case KillChild():
                await self._kill_children()

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
            self.note("missed: kill", "nothing ran")
            return
        _send(attempt["pid"], signal.SIGKILL)
        self.note("kill", " ".join(filter(None, [_name(attempt), when])))

    async def _straggle(self, action: Straggle) -> None:
        attempt = await self._running(patience=1)
        if attempt is None:
            self.note("missed: straggle", "nothing ran")
            return
        pid = attempt["pid"]
        if action.pauses:
            _send(pid, signal.SIGSTOP)
        try:
            # If the attempt has ended, its process may run another job, and that attempt is not lost.
            if not await asyncio.to_thread(self.stack.abandon, attempt["requestId"]):
                self.note("missed: straggle", "it had ended")
                return
            self.note("straggle" if action.pauses else "lost but running", _name(attempt))
            if action.pauses:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_PAUSE):
                        await self.sights.reach(action.until)
        finally:
            if action.pauses:
                _send(pid, signal.SIGCONT)
                self.note("back", _name(attempt))

    async def _straggle_at_call(self, action: StraggleAtCall) -> None:
        ulid = ulid_of(self.job_id)
        with self.stack.holding(
            action.operation, ulid, executed=True, skip=action.skip, function=action.function
        ) as held:
            if not await self._unless_ended(held):
                self.note(f"missed: {LOST_AT_CALL}", "the job ended first")
                return
            attempt = await self._running()
            if attempt is None or not await asyncio.to_thread(self.stack.abandon, attempt["requestId"]):
                self.note(f"missed: {LOST_AT_CALL}", "nothing ran")
                return
            self.note(LOST_AT_CALL, _name(attempt))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_PAUSE):
                    await self.sights.reach(action.until)
        self.note("back", _name(attempt))

    async def _operate(self, name: str) -> None:
        """Send the operation, again while it is answered 503. An answer 503 may hide a change that was made."""
        method, path, body = self.application.operations[name](self.subject)
        while True:
            answer = await self.api.request(method, path, json=body)
            self.note(f"operation: {name}", str(answer.status_code))
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.2)
        if not answer.is_success:
            self.problems.append(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")

    async def _start_late(self) -> None:
        """Start the first attempt of the first stage, after a later attempt or stage has begun."""
        payload = {"jobId": self.job_id, "generation": 1, "retry": 0}
        answer = await self._invoke(self.application.stages[0], payload)
        self.note("late start", str(answer.get("errorType", "done")))
        # If that attempt has finished the stage, its second invocation returns the stored result and writes nothing.
        finished = answer.get("status") == "done"
        if not finished and answer.get("errorType") not in {
            "AttemptSuperseded",
            "JobEnded",
            "StorageThrottled",
            "Runtime.ExitError",
        }:
            self.problems.append(f"an attempt that started late was not refused but answered {answer}")

    async def _invoke(self, function: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Invoke the function as Step Functions does, and return its response or error."""
        url = f"{self.stack.api_url}/2015-03-31/functions/millrace-{function}/invocations"
        answer: dict[str, Any] = (await self.api.post(url, json=payload, timeout=_LONGEST_INVOCATION)).json()
        return answer

    async def _duplicate(self, *, late: bool) -> None:
        """Invoke the running attempt's function a second time with the same payload."""
        attempt = await self._running(patience=1)
        if attempt is None:
            self.note("missed: duplicate", "nothing ran")
            return
        if late:
            await _until(lambda: self._has_ended(attempt["requestId"]))
        kind = "late duplicate" if late else "duplicate"
        self.note(kind, _name(attempt))
        answer = await self._invoke(attempt["function"], attempt["payload"])
        error = str(answer.get("errorType", ""))
        self.note(f"{kind} ended", error or "done")
        if error and error not in _STOPPED and error not in _FAULTS:
            self.problems.append(f"a duplicate of {_name(attempt)} was answered {answer}")

    def _has_ended(self, request_id: str) -> bool:
        records = self.stack.invocations(f'"{self.job_id}"')
        return any(each["ended"] for each in records if each["requestId"] == request_id)

    async def _kill_at_resets(self, times: int) -> None:
        for _ in range(times):
            # The text is JSON within JSON, so a backslash precedes the quotation mark.
            with self.stack.holding("PutItem", self.job_id, 'reset\\"', executed=True) as held:
                if not await self._unless_ended(held):
                    self.note("missed: killatreset", "the job ended first")
                    return
                attempt = await self._running()
                if attempt is not None:
                    _send(attempt["pid"], signal.SIGKILL)
                    self.note("append after reset lost", _name(attempt))

    async def _kill_at_write(self, action: KillAtWrite) -> None:
        with self.stack.holding(
            action.operation,
            self.job_id,
            *action.containing,
            executed=action.executed,
            skip=action.skip,
            function=action.function,
        ) as held:
            if not await self._unless_ended(held):
                self.note(f"missed: {action.what}", "the job ended first")
                return
            attempt = await self._running()
            if attempt is None:
                self.note(f"missed: {action.what}", "nothing ran")
                return
            _send(attempt["pid"], signal.SIGKILL)
            self.note(action.what, _name(attempt))

    async def _kill_children(self) -> None:
        while not self.sights.has_ended:
            attempt = await self._running()
            children = children_of(attempt["pid"]) if attempt is not None else []
            for pid in children:
                _send(pid, signal.SIGKILL)
            if attempt is not None and children:
                self.note("child killed", _name(attempt))
                return
            await asyncio.sleep(0.02)
        self.note("missed: child killed", "the job ended first")

    async def _close(self) -> None:
        assert self.application.closing is not None
        path = self.application.closing(self.subject)
        while True:
            self.note("close", path)
            answer = await self.api.post(path)
            if answer.is_success:
                return
            self.done.pop()
            if answer.status_code != 503:
                self.problems.append(f"closing was answered {answer.status_code}: {answer.text[:300]}")
                return
            await asyncio.sleep(0.2)

    # ---- resumption --------------------------------------------------------------------------------------------------

    async def resume(self, plan: Resumption) -> int:
        """Resume the job as the plan says; return how many generations have begun."""
        await asyncio.sleep(plan.delay)
        if plan.killed_at is not None:
            return int(await self._resume_killed(plan.killed_at, plan.remedy))
        return await self._send_resumptions("resume twice" if plan.twice else "resume", 1 + plan.twice)

    async def _send_resumptions(self, what: str, at_once: int) -> int:
        """Send the request, `at_once` times at the same time, and again while all are answered 503.

        Return how many executions the answers name. Two requests cause one, or two if the job fails again between them.
        """
        while True:
            requests = (self.api.post(f"/jobs/{self.job_id}/resume") for _ in range(at_once))
            answers = await asyncio.gather(*requests)
            statuses = [answer.status_code for answer in answers]
            if set(statuses) != {503}:
                break
            await asyncio.sleep(0.1)
        self.note(what if 202 in statuses else "missed: resume", str(statuses))
        if set(statuses) - {202, 409, 503}:
            self.problems.append(f"{what} was answered {statuses}")
        return len({answer.json()["data"]["executionArn"] for answer in answers if answer.status_code == 202})

    async def _resume_killed(self, at: ResumeCall, remedy: Remedy) -> bool:
        """Kill resume_job at its call. Then apply the remedy if nothing has started the execution."""
        (operation, *texts), executed = _RESUME_CALLS[at]
        with self.stack.holding(
            operation, self.job_id, *texts, executed=executed, function="ResumeJobFunction"
        ) as held:
            request = asyncio.create_task(self.api.post(f"/jobs/{self.job_id}/resume"))
            await _until(lambda: request.done() or held())
            if request.done():
                self.note("missed: resume", str(request.result().status_code))
                return request.result().status_code == 202
            records = await asyncio.to_thread(self.stack.invocations, f'"{self.job_id}"')
            for each in records:
                if each["function"] == "resume_job" and not each["ended"]:
                    _send(each["pid"], signal.SIGKILL)
            self.note("resume_job killed", at)
        await request
        if at != "started":
            self._ending = asyncio.create_task(self._apply(remedy))
        if at == "job":
            await self.settle()  # until then the log ends with the end of the generation before
        return True

    async def settle(self) -> None:
        """Return when the remedy of a job whose resumption was killed is applied."""
        if self._ending is not None:
            await self._ending

    async def _apply(self, remedy: Remedy) -> None:
        match remedy:
            case "cancel":
                await self._cancel()
            case "sweep":
                await self._await_sweep()
            case "repeat":
                if await self._send_resumptions("resume repeated", 1) != 1:
                    self.problems.append("a repeat did not complete the resumption")

    async def _await_sweep(self) -> None:
        """Wait until the sweep has ended the job, which no execution will end."""
        self.note("left to the sweep")
        while True:
            answer = await self.api.get(f"/jobs/{self.job_id}")
            if answer.is_success and answer.json()["data"]["status"] == "failed":
                return
            await asyncio.sleep(1)

    async def _cancel(self) -> None:
        while True:
            answer = await self.api.post(f"/jobs/{self.job_id}/cancel")
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.2)
        self.note("cancel" if answer.is_success else "cancel refused", str(answer.status_code))
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

    def note(self, what: str, detail: str = "") -> None:
        """Record an injected fault."""
        self.done.append(Injected(what, time.time(), detail))


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; check it in a thread."""
    while True:
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.02)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _name(attempt: dict[str, Any]) -> str:
    return f"{attempt['function']} retry {attempt['payload'].get('retry', 0)}"
