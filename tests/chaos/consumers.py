"""`make chaos ARGS=--consumers`: kill every function that learns of changes of jobs, at every call that it makes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from local.stack import ROOT, LocalStack
from local.template.event_sources import StreamSource
from local.template.template import Template
from tests.api_user import ApiUser, wait_until

_NEVER = 10**6


def kill_consumers(stack: LocalStack, console: Console) -> bool:
    """Kill each consumer before and after each of its calls, print what came of it, and return whether all kept on."""
    user = ApiUser(stack)
    found = []
    for source in Template(ROOT / "template.yaml").event_sources:
        if isinstance(source, StreamSource):
            consumer = Consumer(stack, user, source)
            broken = list(consumer.broken_promises())
            console.print(f"{source.function}: {consumer.kills} kills, {len(broken)} of them broke a promise")
            found += broken
    found += [f"refused: {each}" for each in stack.accesses()["refused"]]
    for problem in found:
        console.print(problem, markup=False, soft_wrap=True)
    user.close()
    return not found


@dataclass
class Consumer:
    """A function that gets the records of jobs. One job runs at a time, so that its records are the only ones."""

    stack: LocalStack
    user: ApiUser
    source: StreamSource
    kills: int = 0

    def broken_promises(self) -> Iterator[str]:
        """Kill the function at each call, of one job each; yield what did not end as promised."""
        self._run_job()  # warm, so that the calls of a new process come in no other job
        with self.stack.holding(function=self.source.logical_id, executed=True, skip=_NEVER) as held:
            self._run_job()
            calls = held.calls()
        for executed in (False, True):
            for number, call in enumerate(calls):
                problem = self._kill_at(number, executed=executed)
                if problem is not None:
                    yield f"{self.source.function}, {'after' if executed else 'before'} {call}: {problem}"

    def _kill_at(self, number: int, *, executed: bool) -> str | None:
        """Return what is wrong after a kill: the record must come again, and be handled without an error."""
        given_up = self._counts()["givenUp"]
        with self.stack.holding(function=self.source.logical_id, executed=executed, skip=number) as held:
            job_id = self.user.new_job()
            self.user.ended(job_id)
            wait_until(lambda: held() or self._settled())
            if not held():
                return "it made fewer calls"
            victim = self._deliveries(job_id)[-1]
            os.kill(victim["pid"], signal.SIGKILL)
            wait_until(lambda: self._has_ended(job_id, victim["requestId"]))
        self.kills += 1
        wait_until(self._settled)
        after = [each for each in self._deliveries(job_id) if each["requestId"] != victim["requestId"]]
        if self._counts()["givenUp"] != given_up:
            return "its records were given up"
        return (
            None if after and after[-1]["errorType"] is None else f"it was not invoked again without an error: {after}"
        )

    def _run_job(self) -> None:
        self.user.ended(self.user.new_job())
        wait_until(self._settled)

    def _counts(self) -> dict[str, int]:
        return self.stack.sources()["streams"][self.source.function]

    def _settled(self) -> bool:
        return self._counts()["waiting"] == 0

    def _deliveries(self, job_id: str) -> list[dict[str, Any]]:
        folder = self.source.function.rpartition("-")[2]
        return [each for each in self.stack.invocations(f'"{job_id}"') if each["function"] == folder]

    def _has_ended(self, job_id: str, request_id: str) -> bool:
        return any(each["ended"] for each in self._deliveries(job_id) if each["requestId"] == request_id)
