"""Erase an owner: rounds until nothing is left, killed anywhere, while others' data stay as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from shared.agents.agent import AgentSettings
from shared.assembly import Core
from shared.erasure.eraser import OwnerEraser
from shared.erasure.erasure import Erasure, ErasureStatus
from shared.erasure.owner_data import ErasedStep
from shared.errors import DataBeingErased, NotFound, RateLimitExceeded
from tests.fakes.core import MODELS, FakeCore, FakePorts, a_request
from tests.unit.runs.song_pipeline import break_off, compose, finish

OWNERS = ("ada", "bob")
MORTAL = (
    *("jobs", "event_log", "checkpoints", "runs", "agents", "connections", "subscriptions", "records", "erasures"),
    "executions",
)
"""The ports whose calls an erasure makes."""


class Killed(BaseException):
    """The process died."""


class Life:
    """Counts calls, and kills the process after the one with the number `ends`, which has then been made."""

    def __init__(self, ends: int | None = None) -> None:
        self.ends = ends
        self.calls = 0

    def lived(self) -> None:
        self.calls += 1
        if self.calls == self.ends:
            raise Killed


class Mortal:
    """A port each of whose calls uses up some of a life."""

    def __init__(self, port: Any, life: Life) -> None:
        self._port = port
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not callable(method):
            return method

        @functools.wraps(method)
        def call(*args: Any, **named: Any) -> Any:
            result = method(*args, **named)
            self._life.lived()
            return result

        return call


def process(ports: FakePorts, life: Life) -> Core:
    """Return the core of a new process, which has this life."""
    mortal = {name: Mortal(getattr(ports, name), life) for name in MORTAL}
    other = FakePorts.__new__(FakePorts)
    vars(other).update(vars(ports) | mortal)
    return Core(other)


def settled_world() -> FakeCore:
    """Return a core in which ada and bob have something of every kind that the core stores."""
    core = FakeCore(has_channel=False)
    for owner in OWNERS:
        core.agent_service.create(owner, AgentSettings(name="Terse", instructions=f"{owner} says", model=MODELS[0]))
        song = core.job_creation.create(owner, a_request(pipeline="song"), idempotency_key="once")
        compose(core, song, f"{owner} sings")
        finish(core, song, f"{owner} sings")
        core.job_creation.create(owner, a_request(topic=owner))
        core.connection_registry.open(f"c-{owner}", owner=owner, tab="tab", until=core.clock().timestamp() + 600)
        core.connection_registry.add_topic(f"c-{owner}", "job:x")
    return core


def state_of(core: FakeCore, owner: str) -> dict[str, Any]:
    """Return everything that the fakes hold of the owner, in a form that can be compared."""
    jobs = [job_id for gone in (False, True) for job_id in core.jobs.ids_of(owner, gone=gone)]
    runs = [run_id for gone in (False, True) for run_id in core.runs.ids_of(owner, gone=gone)]
    agents = [agent_id for gone in (False, True) for agent_id in core.agent_store.ids_of(owner, gone=gone)]
    return {
        "jobs": [(job_id, core.jobs.text_of(job_id), core.log.read(job_id, after=0)) for job_id in sorted(jobs)],
        "runs": [(run_id, core.runs.lineage(run_id)) for run_id in sorted(runs)],
        "agents": [(agent_id, core.agent_store.get(agent_id)) for agent_id in sorted(agents)],
        "records": core.records.of(owner),
        "key": core.keys.find(owner, "once"),
        "connection": core.ports.connections.get(f"c-{owner}"),
        "mark": core.ports.erasures.mark_of(owner),
    }


NOTHING: dict[str, Any] = {
    "jobs": [],
    "runs": [],
    "agents": [],
    "records": {},
    "key": None,
    "connection": None,
    "mark": None,
}


def completed(core: FakeCore, erasure: Erasure, *, life: Life | None = None) -> Erasure:
    """Repeat the steps as the state machine does, each in a new process, and return the completed erasure."""
    lives = life or Life()
    for _ in range(20):
        step = process(core.ports, lives).owner_eraser.run(erasure.id)
        if step.done:
            found = core.ports.erasures.get(erasure.id)
            assert found is not None
            return found
        core.clock.advance(step.wait_seconds)
    raise AssertionError("the erasure does not end")


def test_everything_of_the_owner_is_erased_and_nothing_of_another() -> None:
    core = settled_world()
    jobs = [*core.jobs.ids_of("ada")]
    bobs = state_of(core, "bob")

    erasure = completed(core, core.erasure_service.begin("ada"))

    assert state_of(core, "ada") == NOTHING
    assert [core.log.read(job_id, after=0) for job_id in jobs] == [[], []]
    assert state_of(core, "bob") == bobs
    assert (erasure.status, erasure.owner) == (ErasureStatus.COMPLETED, None)
    assert "ada" not in erasure.model_dump_json(exclude={"id", "pseudonym"})  # which are random
    assert {"runs": 1, "jobs": 1, "agents": 1, "connections": 1}.items() <= erasure.counts.items()


def test_a_step_killed_after_any_of_its_calls_is_completed_by_the_next() -> None:
    calls = Life()
    core = settled_world()
    completed(core, core.erasure_service.begin("ada"), life=calls)
    assert calls.calls > 60

    for ends in range(1, calls.calls + 1):
        core = settled_world()
        bobs = state_of(core, "bob")
        erasure, life = core.erasure_service.begin("ada"), Life(ends)
        with pytest.raises(Killed):
            completed(core, erasure, life=life)
        completed(core, erasure)
        assert state_of(core, "ada") == NOTHING, f"killed after call {ends}"
        assert state_of(core, "bob") == bobs, f"killed after call {ends}"


def test_live_jobs_are_cancelled_and_their_executions_stopped() -> None:
    core = FakeCore()
    job, song = core.job_creation.create("ada", a_request()), core.new_song()
    break_off(core, song, "one")

    completed(core, core.erasure_service.begin("ada"))

    assert sorted(core.executions.stopped) == sorted([job.id, song.id])


def test_a_deletion_that_had_broken_off_is_completed() -> None:
    core = settled_world()
    (run_id,) = core.runs.ids_of("ada")
    core.runs.hide(run_id)
    (agent_id,) = core.agent_store.ids_of("ada")
    core.agent_service.delete("ada", agent_id)

    completed(core, core.erasure_service.begin("ada"))

    assert state_of(core, "ada") == NOTHING


# ---- late writers ----------------------------------------------------------------------------------------------------


class Shelf:
    """OwnerData with this number of things; `late` are called, one each, when it has erased all of them."""

    holds = "things"
    places = ()

    def __init__(self, name: str, things: int = 1, late: tuple[Callable[[], None], ...] = ()) -> None:
        self.name = name
        self.things = things
        self.late = list(late)
        self.settled: list[bool] = []

    def put(self) -> None:
        self.things += 1

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        self.settled.append(settled)
        count, self.things = self.things, 0
        if self.late:
            self.late.pop(0)()
        return ErasedStep(count, done=True)


def test_what_is_stored_behind_a_step_is_erased_by_another_round() -> None:
    core = FakeCore()
    first = Shelf("first")
    second = Shelf("second", late=(first.put, first.put))
    eraser = OwnerEraser(store=core.ports.erasures, data=lambda: (first, second), clock=core.clock)
    erasure = core.erasure_service.begin("ada")

    step = eraser.run(erasure.id)

    assert (first.things, second.things) == (0, 0)
    assert (step.done, step.wait_seconds) == (False, 3600)
    assert first.settled == [False, False, False, False]  # the last round has found nothing
    found = core.erasure_service.get("ada", erasure.id)
    assert (found.status, found.counts, found.rounds) == (ErasureStatus.SETTLING, {"first": 3, "second": 1}, 4)


def test_what_is_stored_while_the_erasure_waits_is_erased_before_it_is_completed() -> None:
    core = FakeCore()
    shelf = Shelf("shelf")
    eraser = OwnerEraser(store=core.ports.erasures, data=lambda: (shelf,), clock=core.clock)
    erasure = core.erasure_service.begin("ada")
    eraser.run(erasure.id)
    shelf.put()

    core.clock.advance(3599)
    assert eraser.run(erasure.id).wait_seconds == 1
    assert shelf.things == 1
    core.clock.advance(1)
    assert eraser.run(erasure.id).done

    assert shelf.things == 0
    assert shelf.settled == [False, False, True, True]
    assert eraser.run(erasure.id).done  # a repeat changes nothing


def test_a_step_ends_after_its_time_and_the_next_continues() -> None:
    core = FakeCore()
    shelves = [Shelf(f"shelf-{number}") for number in range(4)]
    for shelf in shelves:
        shelf.late = [functools.partial(core.clock.advance, 40)]
    eraser = OwnerEraser(store=core.ports.erasures, data=lambda: shelves, clock=core.clock)
    erasure = core.erasure_service.begin("ada")

    step = eraser.run(erasure.id)

    assert (step.done, step.wait_seconds) == (False, 0)
    assert [shelf.things for shelf in shelves] == [0, 0, 1, 1]
    eraser.run(erasure.id)
    assert [shelf.things for shelf in shelves] == [0, 0, 0, 0]


# ---- while it runs ---------------------------------------------------------------------------------------------------


def test_nothing_new_is_stored_while_an_erasure_runs() -> None:
    core = FakeCore()
    erasure = core.erasure_service.begin("ada")
    core.clock.advance(600)

    for write in (
        lambda: core.job_creation.create("ada", a_request()),
        lambda: core.count_write("create_agent", "ada"),
        lambda: core.connection_registry.open("c", owner="ada", tab="t", until=core.clock().timestamp() + 60),
    ):
        with pytest.raises(DataBeingErased, match=erasure.id) as refused:
            write()
        assert refused.value.retry_after == 3000
    core.count_write("erase_data", "ada", while_erasing=True)
    core.job_creation.create("bob", a_request())

    completed(core, erasure)
    core.job_creation.create("ada", a_request())


def test_the_limit_of_writes_holds_for_the_request_of_an_erasure_too() -> None:
    core = FakeCore()
    for _ in range(30):
        core.count_write("erase_data", "ada", while_erasing=True)
    with pytest.raises(RateLimitExceeded):
        core.count_write("erase_data", "ada", while_erasing=True)


def test_a_repeated_request_gets_the_erasure_that_runs() -> None:
    core = FakeCore()
    first = core.erasure_service.begin("ada")
    assert core.erasure_service.begin("ada") == first
    assert core.ports.erasure_executions.started == [(first.id, 1)]


def test_a_repeated_request_continues_an_erasure_that_has_failed() -> None:
    core = settled_world()
    first = core.erasure_service.begin("ada")
    core.owner_eraser.fail(first.id)
    assert core.erasure_service.get("ada", first.id).status is ErasureStatus.FAILED
    core.ports.erasure_executions.running.clear()

    again = core.erasure_service.begin("ada")

    assert (again.id, again.status, again.execution) == (first.id, ErasureStatus.ERASING, 2)
    assert core.ports.erasure_executions.started == [(first.id, 1), (first.id, 2)]
    completed(core, again)
    assert state_of(core, "ada") == NOTHING


def test_an_erasure_whose_execution_was_never_started_is_started_by_a_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    core = FakeCore()
    with monkeypatch.context() as broken:
        broken.setattr(core.ports.erasure_executions, "start", lambda _: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            core.erasure_service.begin("ada")

    erasure = core.erasure_service.begin("ada")

    assert core.ports.erasure_executions.running == {(erasure.id, erasure.execution)}


# ---- the report ------------------------------------------------------------------------------------------------------


def test_only_the_owner_reads_the_report_and_only_for_thirty_days() -> None:
    core = FakeCore()
    erasure = completed(core, core.erasure_service.begin("ada"))
    assert core.erasure_service.get("ada", erasure.id) == erasure
    for owner, erasure_id in (("bob", erasure.id), ("ada", "ers_" + "0" * 26), ("ada", "ers_1"), ("ada", "x" * 200)):
        with pytest.raises(NotFound, match="was not found"):
            core.erasure_service.get(owner, erasure_id)
    core.clock.advance(30 * 86_400)
    with pytest.raises(NotFound):
        core.erasure_service.get("ada", erasure.id)


def test_two_erasures_of_one_owner_have_different_pseudonyms() -> None:
    core = FakeCore()
    first, second = (completed(core, core.erasure_service.begin("ada")) for _ in range(2))
    assert first.pseudonym != second.pseudonym
    assert first.id != second.id
