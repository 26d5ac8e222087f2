"""`make chaos ARGS=--every-point`: kill an attempt at every call that a job makes, one job for each call."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from local.stack import LocalStack
from tests.chaos import report
from tests.chaos.application import Application
from tests.chaos.plan import (
    Action,
    Drop,
    JobPlan,
    KillAtCall,
    KillAtModelCall,
    ModelRule,
    Moment,
    Plan,
    Trouble,
    WatcherPlan,
)
from tests.chaos.run import ChaosRun
from tests.chaos.story import JobStory
from tests.chaos.verdict import violations
from tools.infra.functions import camel

TOKENS = (0, 3)
"""After how many tokens of each model call the attempt is killed."""
_AT_ONCE = {"token_ms": 0, "first_token_ms": 0}
_NEVER = 10**6
_TRIES = 5
_DIFFERS = re.compile(r"\b[0-9a-z]{26,27}\b|\b[0-9a-f]{8}\b|\d+")
"""What differs from job to job in the description of a call: a ULID with or without its cell, a nonce, a number."""
_KILL = re.compile(r"\b(before|after) (.*)")
"""The side of a kill and its call, in the story of a job."""
_RUNS_CALLS = re.compile(r" PutItem EVT#\d+( \w+)* tool\b")
"""An append of the event that a call of a tool begins or ends."""


@dataclass
class EveryPoint:
    """Runs an application's jobs one after the other, and kills one attempt of each at another point.

    `stories` are those of the jobs whose attempt was killed, and `calls` the calls of each function in an undisturbed
    job. `reached` are the points at which an attempt was killed, each with its side: `before` or `after`.
    """

    stack: LocalStack
    application: Application
    tell: Callable[[JobStory], None]
    stories: list[JobStory] = field(default_factory=list)
    calls: dict[str, list[str]] = field(default_factory=dict)
    reached: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    model_calls: int = 0

    def run(self) -> None:
        """Run every job."""
        self._run([()])  # warm, so that the calls of a new process come in no other job
        for folder, function in self._functions():
            self.calls[function] = self._calls_of(function)
            for executed in (False, True):
                self._kill_at_each_call(function, executed)
                self._kill_new_process(folder, function, executed)
            self._kill_at_what_is_left(function)
        for tokens in TOKENS:
            self._kill_at_each_model_call(tokens)

    def violations(self, story: JobStory) -> list[str]:
        """Return the broken promises of a job: those of every job, and that it completes with one more model call."""
        found = violations(story)
        if story.shown["status"] != "completed":
            found.append(f"the job is {story.shown['status']}: {story.shown['failure']}")
        if len(story.model_calls) > self.model_calls + 1:
            found.append(f"{len(story.model_calls)} model calls, {self.model_calls} without a kill")
        killed = [each.detail for each in story.injected if each.what == "kill"]
        # The loop stores a turn before it runs the turn's calls.
        if any(_RUNS_CALLS.search(detail) for detail in killed) and len(story.model_calls) > self.model_calls:
            found.append(f"the model was asked again for a turn whose calls were running: {killed}")
        return found

    def missing(self) -> list[str]:
        """Return the calls of the undisturbed job at which no attempt was killed."""
        return [f"{function}: {side} {self.calls[function][skip]}" for function, side, skip in self._left()]

    def _left(self) -> Iterator[tuple[str, str, int]]:
        """Yield function, side and number of each call of the undisturbed job that was not reached."""
        for function, calls in self.calls.items():
            for skip, call in enumerate(calls):
                for side in ("before", "after"):
                    if not {(side, point) for point in points_of(call)} <= self.reached.get(function, set()):
                        yield function, side, skip

    def _functions(self) -> list[tuple[str, str]]:
        """Return folder and logical id of each function that makes attempts, in the order in which they run."""
        return [(folder, f"{camel(folder)}Function") for folder in (*self.application.stages, "complete_job")]

    def _calls_of(self, function: str) -> list[str]:
        """Run a job without a kill, and return the calls of the function."""
        (story,) = self._run([(KillAtCall(function, _NEVER, executed=True),)])
        calls = next(each.detail for each in story.injected if each.what == "missed: killatcall").splitlines()
        if found := violations(story):
            raise AssertionError(f"a job without a kill broke a promise: {found}")
        self.model_calls = len(story.model_calls)
        return calls

    def _kill_at_each_call(self, function: str, executed: bool) -> None:
        """Kill at each call of the undisturbed job, and at further ones until a job makes no more calls."""
        due = range(len(self.calls[function]))
        while due:
            stories = self._take(function, [KillAtCall(function, skip, executed) for skip in due])
            due = range(0) if _missed(stories[-1]) else range(due.stop, due.stop + 1)

    def _kill_at_what_is_left(self, function: str) -> None:
        """Kill at the calls that were not reached: the calls of a thread may have come before others than they had."""
        for _ in range(_TRIES):
            left = [each for each in self._left() if each[0] == function]
            if not left:
                return
            self._take(function, [KillAtCall(function, skip, side == "after") for _, side, skip in left])

    def _kill_new_process(self, folder: str, function: str, executed: bool) -> None:
        """Kill a new process while it asks for the model's key, if it does: later attempts in it do not."""
        for pid in self.stack.processes()[folder]:
            os.kill(pid, signal.SIGKILL)
        self._take(function, [KillAtCall(function, 0, executed, "GetSecretValue")])

    def _kill_at_each_model_call(self, tokens: int) -> None:
        self._take("model", [KillAtModelCall(number, tokens) for number in range(1, self.model_calls + 1)])

    def _take(self, function: str, actions: Sequence[Action]) -> list[JobStory]:
        """Run a job for each action and return the stories; keep those with a kill."""
        stories = self._run([(action,) for action in actions])
        for _ in range(_TRIES - 1):
            again = [number for number, story in enumerate(stories) if _has_no_attempt(story)]
            if not again:
                break
            for number, story in zip(again, self._run([(actions[each],) for each in again]), strict=True):
                stories[number] = story
        self.stories += [story for story in stories if not _missed(story)]
        details = [each.detail for story in stories for each in story.injected if each.what == "kill"]
        found = {
            (kill[1], point) for detail in details if (kill := _KILL.search(detail)) for point in points_of(kill[2])
        }
        self.reached.setdefault(function, set()).update(found)
        return stories

    def _run(self, actions: Sequence[tuple[Action, ...]]) -> list[JobStory]:
        jobs = tuple(_job(number, self.application.pipeline, each) for number, each in enumerate(actions))
        run = ChaosRun(self.stack, Plan(0, jobs), tell=self.tell, at_once=1)
        return asyncio.run(run.run())


def _job(number: int, application: str, actions: tuple[Action, ...]) -> JobPlan:
    return JobPlan(
        number=number,
        scenario=", ".join(map(str, actions)) or "undisturbed",
        application=application,
        script="token_ms=0, first_token_ms=0",
        trouble=Trouble(actions, tuple(rule for action in actions for rule in _rules(action))),
        steady=WatcherPlan(Moment("created"), ()),
        dropping=WatcherPlan(Moment("created"), (Drop(3, 0),)),
        in_turn=True,
    )


def _rules(action: Action) -> Iterator[ModelRule]:
    """Let the model call at which the action kills hang after its tokens, and the calls before it not."""
    if isinstance(action, KillAtModelCall):
        if action.number > 1:
            yield ModelRule(_AT_ONCE, action.number - 1)
        yield ModelRule({**_AT_ONCE, "hang_after": action.tokens})


def _has_no_attempt(story: JobStory) -> bool:
    """Return whether the call was reached, but its attempt was not found in time: on a busy machine."""
    return any(each.what == "missed: kill" for each in story.injected)


def _missed(story: JobStory) -> bool:
    return any(each.what.startswith("missed") for each in story.injected)


def points_of(call: str) -> set[str]:
    """Return what the description of a call has in common with that of the same call in another job.

    That is all but ids, numbers and nonces. An append is one point for each event that it has, because the time decides
    which events are appended together.
    """
    words = _DIFFERS.sub("#", call).split()
    keys = [word for word in words if not word.islower()]
    events = [word for word in words if word.islower()]
    return {" ".join([*keys, event]) for event in events} or {" ".join(keys)}


def every_point(stack: LocalStack, application: Application, console: Console) -> bool:
    """Kill at every point, print the report, and return whether every promise was kept."""
    began = time.monotonic()
    ended = itertools.count(1)

    def tell(story: JobStory) -> None:
        if (number := next(ended)) % 20 == 0:
            console.print(
                f"  {number} jobs ended after {time.monotonic() - began:.0f} s; the last: {story.plan.scenario}"
            )

    run = EveryPoint(stack, application, tell)
    run.run()
    table = Table(title="where an attempt was killed", title_justify="left")
    table.add_column("by", no_wrap=True)
    for heading in ("calls without a kill", "kills", "one more model call"):
        table.add_column(heading, justify="right")
    for function in run.reached:
        stories = [story for story in run.stories if story.plan.scenario.startswith(function)]
        more = sum(len(story.model_calls) > run.model_calls for story in stories)
        made = run.model_calls if function == "model" else len(run.calls[function])
        table.add_row(function, str(made), str(len(stories)), str(more))
    console.print(table)
    broken = [(story, found) for story in run.stories if (found := run.violations(story))]
    for story, found in broken:
        console.print(report.whole_story(story, found), markup=False, soft_wrap=True)
    for call in run.missing():
        console.print(f"never killed at: {call}", markup=False)
    verdict = f"{len(broken)} jobs broke a promise" if broken else "every promise held"
    kinds = sum(map(len, run.reached.values()))
    console.print(
        f"{verdict}: {application.pipeline}, {len(run.stories)} jobs killed at {kinds} kinds of points in "
        f"{time.monotonic() - began:.0f} s"
    )
    return not (broken or run.missing())
