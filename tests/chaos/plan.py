"""The plan of a run: the faults of each job, chosen by a seed only."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from tests.chaos.application import Application, applications

Sight = Literal[
    "created", "attempt", "delta", "whole", "reset", "last", "end", "stage", "subtask", "item", "tool", "snapshot"
]
"""The sights that define a moment: events of the stream, and some more.

The steady watcher sees them all, except `attempt`: an invocation with this retry, counted from 1. `whole`: the text is
the whole output of its stage, so the attempt is between its last append and its checkpoint. `last`: the last stage has
begun.
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """`delay` seconds after `sight` was seen for the `count`th time."""

    sight: Sight
    count: int = 1
    delay: float = 0

    def __str__(self) -> str:
        return f"{self.delay:.2f} s after {self.sight} {self.count}"


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill the process of the attempt that runs at this moment with SIGKILL."""

    at: Moment


@dataclass(frozen=True, slots=True)
class KillAtCall:
    """Kill the process of the attempt that makes this call of AWS, before or after the call is executed.

    It is the `skip`-th call, from 0, of `operation` (empty: of any) by the function with this logical id. No other job
    may run at the same time, because the call is counted from the job's creation on.
    """

    function: str
    skip: int
    executed: bool
    operation: str = ""

    def __str__(self) -> str:
        when = "after" if self.executed else "before"
        return f"{self.function}, {when} call {self.skip + 1}{f' of {self.operation}' if self.operation else ''}"


@dataclass(frozen=True, slots=True)
class KillAtModelCall:
    """Kill the attempt's process while its model call, the `number`-th of the job from 1, has sent `tokens` tokens."""

    number: int
    tokens: int

    def __str__(self) -> str:
        return f"model call {self.number}, after {self.tokens} tokens"


@dataclass(frozen=True, slots=True)
class KillAtWrite:
    """Kill the attempt's process at a call of AWS's `operation` that names the job's id and all these texts.

    It is the `skip`-th such call, from 0, after `at`, by the function with this logical id; empty means any operation
    and any function. If `executed`, AWS executes the call, but its caller dies before the response. `what` names the
    injection in the report.
    """

    at: Moment
    what: str
    operation: str
    containing: tuple[str, ...]
    executed: bool
    skip: int = 0
    function: str = ""


@dataclass(frozen=True, slots=True)
class KillChild:
    """Kill the child processes of the running attempt's process with SIGKILL, such as that of an engine.

    If it has none at this moment, kill the next ones that it starts.
    """

    at: Moment


@dataclass(frozen=True, slots=True)
class Straggle:
    """Step Functions loses the running attempt and starts the next, but the lost attempt continues.

    With `pauses` its process pauses until `until`; without, it continues to work beside the newer attempt.
    """

    at: Moment
    until: Moment
    pauses: bool = True


@dataclass(frozen=True, slots=True)
class StraggleAtCall:
    """As `Straggle`, but the attempt is lost while it waits for the response to a call of AWS, which comes at `until`.

    It is the `skip`-th call, from 0, of `operation` by the function with this logical id whose payload has the job's
    ULID. AWS executes it at once, so the attempt continues with what was stored then.
    """

    at: Moment
    until: Moment
    operation: str
    function: str
    skip: int = 0


@dataclass(frozen=True, slots=True)
class KillAtReset:
    """Kill the process that appends a `reset`, right after that append; do this to the next `times` of them.

    If the text to keep does not fit into the `reset`, the append of its rest is lost.
    """

    at: Moment
    times: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Lambda runs the attempt that runs at this moment a second time: at once, or `late`, when the first has ended."""

    at: Moment
    late: bool


@dataclass(frozen=True, slots=True)
class LateStart:
    """An attempt that was superseded before it began starts at this moment."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Throttle:
    """DynamoDB refuses the next `count` calls of `operation` that concern the job."""

    at: Moment
    operation: str
    count: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """The owner cancels the job."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Close:
    """The owner closes what the job is linked to (`Application.closing`)."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Operate:
    """The owner changes what the job is linked to by this operation (`Application.operations`)."""

    at: Moment
    operation: str


Action: TypeAlias = (
    Kill
    | KillAtCall
    | KillAtModelCall
    | KillAtReset
    | KillAtWrite
    | KillChild
    | Straggle
    | Duplicate
    | LateStart
    | Operate
    | StraggleAtCall
    | Throttle
    | Cancel
    | Close
)


@dataclass(frozen=True, slots=True)
class Drop:
    """The watcher's connection breaks after this number of events, and it reconnects after `away` seconds."""

    after: int
    away: float


Transport = Literal["stream", "channel", "both"]
"""How a watcher follows. `both`: it changes between the two with each connection."""

TRANSPORTS: tuple[Transport, ...] = ("stream", "channel", "both")


@dataclass(frozen=True, slots=True)
class WatcherPlan:
    """When one watcher connects, how, and where its connections break, in order."""

    joins: Moment
    drops: tuple[Drop, ...]
    transport: Transport = "stream"


Position = Literal["beginning", "before", "at", "after"]
"""From where a watcher comes back after a resumption, by the last event that it has seen: none, one before the end of
the job's last generation, that end, or the `reset` after it."""


@dataclass(frozen=True, slots=True)
class Return:
    """A watcher comes back `delay` seconds after the resumption. `share` chooses the event of the position "before"."""

    position: Position
    share: float
    delay: float

    @property
    def transport(self) -> Transport:
        """Follow over the channel half of the time, without another draw: a seed keeps its plan."""
        return "channel" if int(self.delay * 1000) % 2 else "stream"


ResumeCall = Literal["job", "reset", "start", "started"]
"""The call at which resume_job is killed: it has written the job, or appended the `reset`, or is about to start the
execution, or has started it."""

Remedy = Literal["cancel", "sweep", "repeat"]
"""What follows a resumption that did not start the execution: the owner cancels the job, the sweep fails it, or the
owner repeats the request."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """The owner resumes the ended job after `delay` seconds, with one request or two at once.

    With `killed_at` resume_job is killed there, and unless the execution has started, `remedy` follows. `actions` are
    injected afterwards; their moments are counted again.
    """

    delay: float
    twice: bool
    killed_at: ResumeCall | None
    remedy: Remedy
    actions: tuple[Action, ...]
    returns: tuple[Return, ...]


@dataclass(frozen=True, slots=True)
class ModelRule:
    """What the model does instead of writing its output; `times` None means always."""

    behaviour: Mapping[str, Any]
    times: int | None = 1


@dataclass(frozen=True, slots=True)
class Trouble:
    """The faults that a scenario injects into a job."""

    actions: tuple[Action, ...] = ()
    rules: tuple[ModelRule, ...] = ()


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job: the script of its model without faults, its faults and its watchers.

    `resumptions` are made in order, as long as the job ends failed or cancelled.
    `in_turn`: its attempts run one after the other, although the application has a fan-out.
    """

    number: int
    scenario: str
    application: str
    script: str
    trouble: Trouble
    steady: WatcherPlan
    dropping: WatcherPlan
    resumptions: tuple[Resumption, ...] = ()
    in_turn: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of all jobs of a run."""

    seed: int
    jobs: tuple[JobPlan, ...] = field(repr=False)


Scenario: TypeAlias = Callable[[random.Random], Trouble]


def make_plan(seed: int, jobs: int, *, only: str | None = None) -> Plan:
    """Return the plan of this seed and number of jobs, of the pipeline `only` if it is given.

    Every scenario is used once before one is used again; with `only`, the pipeline's own ones are used three times.
    """
    own = applications()[only].scenarios if only is not None else {}
    chance, kinds = random.Random(seed), random.Random(f"applications of {seed}")
    deck: list[str] = []
    made = []
    for number in range(jobs):
        if not deck:
            deck = [*(scenario for scenario in scenarios() if _shares(scenario, only)), *own, *own]
            chance.shuffle(deck)
        scenario = deck.pop()
        shares = _shares(scenario, only)
        (application,) = kinds.choices([*shares], [*shares.values()])
        made.append(_job(chance, number, scenario, application))
    return Plan(seed, tuple(made))


def plan_of(seed: int, *chosen: tuple[str, str]) -> Plan:
    """Return a plan of this seed with exactly these jobs: pairs of a scenario and an application."""
    jobs = (
        _job(random.Random(f"{scenario} of {application} of {seed}"), number, scenario, application)
        for number, (scenario, application) in enumerate(chosen)
    )
    return Plan(seed, tuple(jobs))


def scenarios() -> dict[str, Scenario]:
    """Return the scenarios by name: those for every application, and those of single applications."""
    own = {name: each for application in applications().values() for name, each in application.scenarios.items()}
    return {**SCENARIOS, **own}


def possible(scenario: str, application: Application) -> bool:
    """Return whether the application's jobs can have this scenario."""
    if scenario not in SCENARIOS:
        return scenario in application.scenarios
    if application.progress is not None and scenario not in WITHOUT_MODEL:
        return False
    needed = NEEDS.get(scenario)
    return needed is None or needed(application)


def _shares(scenario: str, only: str | None) -> dict[str, float]:
    """Return the share of each application whose jobs can have this scenario."""
    return {
        name: each.share for name, each in applications().items() if possible(scenario, each) and only in {None, name}
    }


def _job(chance: random.Random, number: int, scenario: str, application: str) -> JobPlan:
    tokens, token_ms = chance.randint(40, 90), chance.randint(10, 25)
    trouble = scenarios()[scenario](chance)
    if chance.random() < 0.2:
        trouble = Trouble((*trouble.actions, _throttle(chance)), trouble.rules)
    trouble = _without_text(trouble, applications()[application])
    return JobPlan(
        number=number,
        scenario=scenario,
        application=application,
        script=f"tokens={tokens}, first_token_ms={chance.randint(20, 150)}, token_ms={token_ms}",
        trouble=trouble,
        # The moments of the plan are what the steady watcher sees.
        steady=WatcherPlan(Moment("created"), _drops(chance, most=1)),
        dropping=WatcherPlan(_joins(chance), _drops(chance, most=6), TRANSPORTS[number % 3]),
        resumptions=tuple(_resumption(chance) for _ in range(chance.randint(1, 2))),
    )


def _without_text(trouble: Trouble, application: Application) -> Trouble:
    """Move the moments within a text to those of the progress of an application whose jobs write none."""
    if application.progress is None:
        return trouble
    return Trouble(tuple(_moved(each, *application.progress) for each in trouble.actions), trouble.rules)


def _moved(action: Action, progress: Sight, most: int) -> Action:
    moments = {each.name: getattr(action, each.name) for each in fields(action)}
    moved: dict[str, Any] = {
        name: Moment(progress, min(moment.count, most), moment.delay)
        for name, moment in moments.items()
        if isinstance(moment, Moment) and moment.sight in {"delta", "whole"}
    }
    return replace(action, **moved)


def _resumption(chance: random.Random) -> Resumption:
    # Of 300 jobs about 70 are resumed: often enough killed that the sweep and a repeat follow at least four times each.
    killed_at: ResumeCall | None = (
        chance.choice(("job", "reset", "start", "started")) if chance.random() < 0.45 else None
    )
    kind = chance.random()
    actions: tuple[Action, ...] = ()
    if kind < 0.4:
        actions = (Kill(_mid_stream(chance)),) if kind < 0.2 else (Cancel(_mid_stream(chance)),)
    positions: tuple[Position, ...] = (chance.choice(("beginning", "before")), chance.choice(("at", "after")))
    return Resumption(
        delay=chance.uniform(0, 0.5),
        twice=killed_at is None and chance.random() < 0.4,
        killed_at=killed_at,
        remedy=chance.choice(("sweep",) * 4 + ("repeat",) * 4 + ("cancel",)),
        actions=actions,
        returns=tuple(Return(each, chance.random(), chance.uniform(0, 1.0)) for each in positions),
    )


def _drops(chance: random.Random, *, most: int) -> tuple[Drop, ...]:
    return tuple(Drop(chance.randint(1, 12), chance.uniform(0, 0.6)) for _ in range(chance.randint(0, most)))


def _joins(chance: random.Random) -> Moment:
    kind = chance.random()
    if kind < 0.6:
        return Moment("created")
    return Moment("created", delay=chance.uniform(0.2, 3)) if kind < 0.85 else Moment("end", delay=0.05)


# ---- scenarios: each draws its own numbers -------------------------------------------------------------------------


def _mid_stream(chance: random.Random) -> Moment:
    return Moment("delta", chance.randint(1, 5), chance.uniform(0, 0.1))


def _throttle(chance: random.Random) -> Throttle:
    operation = chance.choice(("PutItem", "UpdateItem", "Query", "GetItem", "TransactWriteItems"))
    at = Moment("created", delay=chance.uniform(0, 0.5)) if chance.random() < 0.3 else _mid_stream(chance)
    return Throttle(at, operation, chance.randint(1, 7))


def _calm(chance: random.Random) -> Trouble:
    return Trouble()


def _model(behaviour: Callable[[random.Random], dict[str, Any]], times: int | None = 1) -> Scenario:
    return lambda chance: Trouble(rules=(ModelRule(behaviour(chance), times),))


def _breaks(how: str) -> Scenario:
    """The model breaks off within its output, in the first call or in the first two."""

    def trouble(chance: random.Random) -> Trouble:
        behaviour = {how: chance.randint(0, 30), "timestamps": True, "tokens": 50, "token_ms": 12}
        return Trouble(rules=(ModelRule(behaviour, chance.randint(1, 2)),))

    return trouble


def _killed_in_mid_stream(chance: random.Random) -> Trouble:
    again = Kill(Moment("reset", delay=chance.uniform(0, 1)))
    return Trouble((Kill(_mid_stream(chance)), *((again,) if chance.random() < 0.4 else ())))


def _killed_at_any_time(chance: random.Random) -> Trouble:
    return Trouble((Kill(Moment("created", delay=chance.uniform(0, 3))),))


def _killed_before_its_checkpoint(chance: random.Random) -> Trouble:
    # The checkpoint is refused twice, so the attempt waits between its last append and its checkpoint.
    throttled = Throttle(Moment("delta", 2), "UpdateItem", 2)
    return Trouble((throttled, Kill(Moment("whole", delay=chance.uniform(0, 0.3)))))


def _killed_around_its_checkpoint(chance: random.Random) -> Trouble:
    return Trouble((Kill(Moment("whole", delay=chance.uniform(0, 0.06))),))


def _second_append_lost(chance: random.Random) -> Trouble:
    """Kill the repair of a long text at its `reset`, and the next attempt between its two appends of the text."""
    return Trouble((KillAtReset(Moment("created"), chance.randint(1, 2)),), (_LONG_TEXT,))


def _long_text_cancelled(chance: random.Random) -> Trouble:
    """Cancel the repair of a long text, so that a resumption has to keep the text."""
    return Trouble((Cancel(Moment("reset", delay=chance.uniform(0, 0.1))),), (_LONG_TEXT,))


def _duplicated(late: bool) -> Scenario:
    def trouble(chance: random.Random) -> Trouble:
        at = chance.choice((Moment("created", delay=chance.uniform(0, 0.5)), Moment("stage", chance.randint(1, 2))))
        return Trouble((Duplicate(chance.choice((at, _mid_stream(chance))), late),))

    return trouble


def _fails_at_first(behaviour: dict[str, Any], times: int) -> Scenario:
    """The model fails until the job has failed, and works when the job is resumed."""
    return lambda chance: Trouble(rules=(ModelRule(behaviour, times),))


def _killed_in_parts(chance: random.Random) -> Trouble:
    """Kill one part, and perhaps another part or its retry."""
    again = Kill(Moment("subtask", chance.randint(2, 6), chance.uniform(0, 0.5)))
    first = Kill(Moment("subtask", chance.randint(1, 3), chance.uniform(0, 0.3)))
    return Trouble((first, *((again,) if chance.random() < 0.5 else ())))


def _killed_between_calls(chance: random.Random) -> Trouble:
    """Kill the attempt at a call of a tool, and perhaps its successor at a later one."""
    again = Kill(Moment("tool", chance.randint(4, 12), chance.uniform(0, 0.05)))
    first = Kill(Moment("tool", chance.randint(1, 10), chance.uniform(0, 0.05)))
    return Trouble((first, *((again,) if chance.random() < 0.5 else ())))


def _straggles_between_calls(chance: random.Random) -> Trouble:
    back = Moment(chance.choice(("reset", "end")), delay=chance.uniform(0, 0.5))
    return Trouble((Straggle(Moment("tool", chance.randint(1, 10), chance.uniform(0, 0.05)), back),))


def _straggles_in_parts(chance: random.Random) -> Trouble:
    back = Moment(chance.choice(("last", "end")), delay=chance.uniform(0, 0.3))
    return Trouble((Straggle(Moment("subtask", chance.randint(1, 4), chance.uniform(0, 0.3)), back),))


def _part_beside_its_successor(chance: random.Random) -> Trouble:
    return Trouble((Straggle(Moment("subtask", chance.randint(1, 3)), Moment("end"), pauses=False),))


def _killed_in_repair(chance: random.Random) -> Trouble:
    return Trouble((Kill(Moment("last", delay=chance.uniform(0, 0.8))),), (ModelRule({"invalid_json": True}, None),))


def _straggles(until: Callable[[random.Random], Moment]) -> Scenario:
    """The attempt pauses in the middle of its output."""
    return lambda chance: Trouble((Straggle(_mid_stream(chance), until(chance)),))


def _straggles_before_its_checkpoint(chance: random.Random) -> Trouble:
    throttled = Throttle(Moment("delta", 2), "UpdateItem", 2)
    back = chance.choice((Moment("reset", delay=chance.uniform(0, 0.4)), Moment("whole", 2, chance.uniform(0, 0.2))))
    return Trouble((throttled, Straggle(Moment("whole", delay=chance.uniform(0, 0.1)), back)))


def _straggles_in_its_claim(chance: random.Random) -> Trouble:
    # The second attempt's first append is refused twice, so it waits between claiming the job and claiming the log.
    # When it continues, the newer attempt has appended to the log that it read.
    killed_at = chance.uniform(0, 0.05)
    back = chance.choice((Moment("reset", delay=chance.uniform(0, 0.4)), Moment("end", delay=chance.uniform(0, 0.3))))
    return Trouble(
        (
            Kill(Moment("delta", 2, killed_at)),
            Throttle(Moment("delta", 2, killed_at + 0.03), "PutItem", 2),
            Straggle(Moment("attempt", 2, chance.uniform(0.1, 0.8)), back),
        )
    )


def _straggles_until_cancelled(chance: random.Random) -> Trouble:
    cancelled = Cancel(Moment("delta", 3, chance.uniform(0.3, 0.5)))
    return Trouble((Straggle(Moment("delta", 3), Moment("end", delay=chance.uniform(0, 0.5))), cancelled))


def _runs_beside_its_successor(chance: random.Random) -> Trouble:
    return Trouble((Straggle(_mid_stream(chance), Moment("end"), pauses=False),))


def _starts_late(chance: random.Random) -> Trouble:
    again = chance.choice((Moment("last"), Moment("end")))
    soon = Moment("reset", delay=chance.uniform(0, 0.5))
    return Trouble((Kill(_mid_stream(chance)), LateStart(soon), LateStart(again)))


def _throttled(chance: random.Random) -> Trouble:
    return Trouble(tuple(_throttle(chance) for _ in range(chance.randint(1, 3))))


def _cancelled(chance: random.Random) -> Trouble:
    moments = (Moment("created", delay=chance.uniform(0, 2)), Moment("whole", delay=chance.uniform(0, 0.15)))
    return Trouble((Cancel(chance.choice(moments)),))


def _cancelled_while_the_model_hangs(chance: random.Random) -> Trouble:
    hang = ModelRule({"hang_after": chance.randint(0, 10), "timestamps": True, "tokens": 50}, None)
    return Trouble((Cancel(Moment("created", delay=chance.uniform(0.5, 3))),), (hang,))


_LONG_TEXT = ModelRule({"text": "This is not JSON. " * 3000, "token_ms": 0, "first_token_ms": 0})
"""54,000 characters: more than one event holds."""

SCENARIOS: dict[str, Scenario] = {
    "calm": _calm,
    "model 429": _model(lambda chance: {"status": 429, "retry_after": 1}, 1),
    "model 500, in the end well": _model(lambda chance: {"status": 500}, 2),
    "model 500, always": _model(lambda chance: {"status": 500}, None),
    "model hangs": _breaks("hang_after"),
    "model disconnects": _breaks("disconnect_after"),
    "model ends without finish": _breaks("clean_end_after"),
    "model invalid JSON": _model(lambda chance: {"invalid_json": True}, None),
    "model refuses": _model(lambda chance: {"refusal": True}, None),
    "killed in mid-stream": _killed_in_mid_stream,
    "killed at any time": _killed_at_any_time,
    "killed before checkpoint": _killed_before_its_checkpoint,
    "killed around checkpoint": _killed_around_its_checkpoint,
    "killed in repair": _killed_in_repair,
    "second append lost": _second_append_lost,
    "long text cancelled": _long_text_cancelled,
    "duplicated at once": _duplicated(late=False),
    "duplicated late": _duplicated(late=True),
    "model 500 until it failed": _fails_at_first({"status": 500}, 4),
    "model refuses at first": _fails_at_first({"refusal": True}, 1),
    "model 401 at first": _fails_at_first({"status": 401}, 1),
    "killed in parts": _killed_in_parts,
    "killed between tool calls": _killed_between_calls,
    "straggler back in reset": _straggles(lambda chance: Moment("reset", delay=chance.uniform(0, 0.5))),
    "straggler back later": _straggles(
        lambda chance: Moment(chance.choice(("last", "end", "whole")), delay=chance.uniform(0, 0.1))
    ),
    "straggler before checkpoint": _straggles_before_its_checkpoint,
    "straggler in its claim": _straggles_in_its_claim,
    "straggler until cancelled": _straggles_until_cancelled,
    "straggler in parts": _straggles_in_parts,
    "straggler between tool calls": _straggles_between_calls,
    "part beside successor": _part_beside_its_successor,
    "runs beside successor": _runs_beside_its_successor,
    "late start": _starts_late,
    "throttled": _throttled,
    "cancelled": _cancelled,
    "cancelled while hanging": _cancelled_while_the_model_hangs,
}

NEEDS: dict[str, Callable[[Application], bool]] = {
    "second append lost": lambda application: application.repairs_texts,
    "long text cancelled": lambda application: application.repairs_texts,
    "killed in parts": lambda application: bool(application.fan_outs),
    "straggler in parts": lambda application: bool(application.fan_outs),
    "part beside successor": lambda application: bool(application.fan_outs),
    "killed between tool calls": lambda application: application.has_tools,
    "straggler between tool calls": lambda application: application.has_tools,
}
"""What an application must have for a scenario."""

WITHOUT_MODEL = frozenset(
    {
        "calm",
        "killed in mid-stream",
        "killed at any time",
        "killed in parts",
        "straggler in parts",
        "part beside successor",
        "duplicated at once",
        "duplicated late",
        "straggler back in reset",
        "straggler back later",
        "runs beside successor",
        "late start",
        "throttled",
        "cancelled",
    }
)
"""The scenarios for jobs that ask no model and write no text."""
