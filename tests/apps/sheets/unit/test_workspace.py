"""A chat job's changes: each is published once, with what it did, whatever others do and whenever a process dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from shared.apps.sheets.engine.process import ProcessEngine, ProcessWorkbook
from shared.apps.sheets.history import History
from shared.apps.sheets.publishing import Publishing
from shared.apps.sheets.session import SessionState
from shared.apps.sheets.session_store import SessionChange
from shared.apps.sheets.tools.toolbox import TOOLBOX
from shared.apps.sheets.workspace import SheetWorkspace
from shared.errors import (
    AttemptSuperseded,
    DataLost,
    InvalidModelOutput,
    JobEnded,
    MillraceError,
    StorageUnavailable,
)
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard
from shared.llm.model import ToolCall
from shared.log.fence import Fence
from shared.stages.attempt_guard import AttemptGuard
from shared.tools.tool import CheckedCall
from tests.apps.sheets.chat_world import SESSION, ChatWorld, call
from tests.apps.sheets.engines import patient_engine
from tests.fakes.model import CallingModel


@pytest.fixture
def world(tmp_path: Path) -> ChatWorld:
    return ChatWorld(tmp_path)


def write(world: ChatWorld, at: str = "D1", value: Any = "Total", **arguments: Any) -> Any:
    return call("write_range", sheet=world.sheet, start=at, values=[[value]], **arguments)


def fill(world: ChatWorld, formula: str = "=B2*C2", cells: str = "D2:D5") -> Any:
    return call("write_formula", sheet=world.sheet, range=cells, formula=formula)


class TestReceipts:
    def test_a_change_is_published_and_says_what_it_did(self, world: ChatWorld) -> None:
        (result,) = world.converse([fill(world)])
        assert result["version"] == 2
        assert result["summary"].endswith(": 4 cells changed")
        assert result["data"]["changed"] == [{"range": f"{world.sheet}!D2:D5", "cells": 4}]
        assert result["data"]["preview"][f"{world.sheet}!D2"] == 7.5
        version = world.versions()[-1]
        assert (version.by, version.kind, version.undo_to) == ("model", "change", 1)
        assert version.title == f"Fill {world.sheet}!D2:D5 with =B2*C2"

    def test_cells_that_are_computed_again_are_counted(self, world: ChatWorld) -> None:
        _, result = world.converse([fill(world)], [write(world, "B2", 10, allowOverwrite=True)])
        assert result["data"]["recalculated"] == 1
        assert result["data"]["preview"][f"{world.sheet}!D2"] == 25

    def test_errors_that_a_change_introduces_are_named(self, world: ChatWorld) -> None:
        _, result = world.converse([fill(world, "=B2/C2")], [write(world, "C2", 0, allowOverwrite=True)])
        assert result["data"]["errorsIntroduced"] == {f"{world.sheet}!D2": "#DIV/0!"}
        assert "1 cell had a value before and is an error now" in result["warnings"][0]
        assert world.versions()[-1].errors_introduced == 1

    @pytest.mark.parametrize(
        ("formula", "code"),
        [
            ("=SUM(B2:B", "FORMULA_UNREADABLE"),
            ("='[Other.xlsx]Sheet1'!A1", "FORMULA_REFUSED"),
            ('=WEBSERVICE("http://127.0.0.1/")', "FORMULA_REFUSED"),
            ("=cmd|' /C calc'!A0", "FORMULA_REFUSED"),
        ],
    )
    def test_a_formula_that_is_not_computed_publishes_nothing(self, world: ChatWorld, formula: str, code: str) -> None:
        (result,) = world.converse([fill(world, formula)])
        assert result["error"]["code"] == code
        assert len(world.versions()) == 1

    def test_a_circular_formula_is_refused_or_said(self, world: ChatWorld) -> None:
        (result,) = world.converse([fill(world, "=D2+1")])
        assert not result["ok"] or result["data"]["errorsIntroduced"]

    @pytest.mark.parametrize(
        "query",
        [
            "attach 'x.db' as y",
            "pragma table_info(sales)",
            "vacuum into 'x.db'",
            "select 1; select 2",
            "delete from sales",
            "select load_extension('x')",
        ],
    )
    def test_what_is_no_select_is_refused(self, world: ChatWorld, query: str) -> None:
        (result,) = world.converse([call("sql_query", query=query)])
        assert result["error"]["code"] in {"SQL_REFUSED", "SQL_ERROR"}

    @pytest.mark.parametrize(
        "query",
        [
            "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
            "with recursive a(n) as (select 1 union all select n + 1 from a where n < 100000), b as (select * from a) "
            "select count(*) from a, b, a as c where a.n + b.n + c.n > 0",
        ],
    )
    def test_a_query_without_end_costs_one_call(self, world: ChatWorld, query: str, tmp_path: Path) -> None:
        engine = patient_engine(query_seconds=0.2)
        with patch.object(world.publishing, "_engine", engine):
            slow, read = world.converse([call("sql_query", query=query)], [call("describe_workbook")])
        assert slow["error"]["code"] in {"CALCULATION_TOO_SLOW", "SQL_REFUSED"}
        assert read["ok"]


class TestUndo:
    def test_the_last_change_of_this_answer_is_undone(self, world: ChatWorld) -> None:
        *_, undone, read = world.converse(
            [fill(world)], [call("undo_last_change")], [call("read_range", sheet=world.sheet, range="A1:D5")]
        )
        assert (undone["version"], undone["data"]["undone"]) == (3, f"Fill {world.sheet}!D2:D5 with =B2*C2")
        assert read["data"]["range"] == "A1:C5"
        assert [each.kind for each in world.versions()] == ["load", "change", "undo"]
        assert world.versions()[-1].by == "model"

    def test_two_changes_are_undone_one_after_the_other_and_no_more(self, world: ChatWorld) -> None:
        undo = [call("undo_last_change")]
        *_, first, second, third = world.converse([write(world)], [fill(world)], undo, undo, undo)
        assert (first["ok"], second["ok"]) == (True, True)
        assert third["error"]["code"] == "NOTHING_FOUND"
        assert world.versions()[-1].map == world.versions()[0].map

    def test_a_persons_change_is_not_undone(self, world: ChatWorld) -> None:
        world.edit("B2", 9)
        (result,) = world.converse([call("undo_last_change")])
        assert result["error"]["code"] == "NOTHING_FOUND"

    def test_a_persons_change_between_is_not_undone_either(self, world: ChatWorld) -> None:
        """The job's own change is undone; what is then the newest content was made by a person."""
        job = world.new_job()
        world.prepare(job)
        world.edit("B2", 9)
        undo = call("undo_last_change")
        model = CallingModel(("", write(world)), ("", undo), ("", undo), ("Done.",))
        world.answer(job, model)
        results = [json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool"]
        assert [each["ok"] for each in results] == [True, True, False]

    def test_a_person_undoes_an_answer_in_one_step_and_redoes_it_in_one(self, world: ChatWorld) -> None:
        world.edit("B2", 9)
        world.converse([write(world)], [fill(world)], [write(world, "E1", "x")], [call("undo_last_change")])
        world.change(active_job_id=None)
        loaded, edited, _, filled = (each.map for each in world.versions()[:4])
        assert [each.undo_to for each in world.versions()[2:]] == [2, 2, 2, 2]
        history, session = world.services.history, world.session

        session, undone = history.undo(session)
        assert undone.map == edited
        session, redone = history.redo(session)
        assert (redone.map, redone.undo_to) == (filled, 2)
        session, _ = history.undo(session)
        _, first = history.undo(session)
        assert first.map == loaded

    def test_two_answers_are_undone_one_after_the_other(self, world: ChatWorld) -> None:
        for answer in (1, 2):
            world.converse(
                [write(world, "D1", answer, allowOverwrite=True)], [write(world, "E1", answer, allowOverwrite=True)]
            )
            world.change(active_job_id=None)
        assert [each.undo_to for each in world.versions()] == [None, 1, 1, 3, 3]


class TestOthers:
    def test_a_persons_change_is_seen_by_the_next_call_and_said_with_the_next_change(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        world.edit("B2", 100)
        read = call("read_range", sheet=world.sheet, range="B2")
        model = CallingModel(("", read), ("", fill(world)), ("Done.",))
        world.answer(job, model)
        seen, changed = (json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool")
        assert seen["data"]["rows"] == [[100]]
        assert changed["warnings"] == [f"meanwhile a person changed {world.sheet}!B2 (Edit B2, version 2)"]

    def test_a_change_is_planned_again_if_somebody_publishes_first(self, world: ChatWorld) -> None:
        """The person edits between the tool's plan and its publication."""
        edits = iter([lambda: world.edit("B2", 100)])
        with interposed(world, edits):
            (result,) = world.converse([fill(world)])
        assert result["version"] == 3
        assert result["data"]["preview"][f"{world.sheet}!D2"] == 250
        assert "meanwhile a person changed" in result["warnings"][0]

    def test_a_change_that_would_overwrite_what_somebody_wrote_meanwhile_is_refused(self, world: ChatWorld) -> None:
        edits = iter([lambda: world.edit("D3", "mine")])
        with interposed(world, edits):
            (result,) = world.converse([fill(world)])
        assert result["error"]["code"] == "WOULD_OVERWRITE"
        assert [each.by for each in world.versions()] == ["user", "user"]

    def test_nothing_is_published_after_the_session_was_closed(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        close = iter([lambda: world.change(state=SessionState.CLOSED)])
        with interposed(world, close), pytest.raises(JobEnded):
            world.answer(job, CallingModel(("", fill(world)), ("Done.",)))
        assert len(world.versions()) == 1

    @pytest.mark.parametrize("kind", ["blocks", "maps", "models"])
    def test_nothing_is_published_if_the_session_is_closed_while_the_data_is_stored(
        self, world: ChatWorld, kind: str
    ) -> None:
        """The tool has computed its change, and a part of it is stored."""
        job = world.new_job()
        world.prepare(job)
        close = iter([lambda: world.change(state=SessionState.CLOSED)])

        def before_put(key: str) -> None:
            act = next(close, None) if f"/{kind}/" in key else None
            if act is not None:
                act()

        world.data.before_put = before_put
        with pytest.raises(JobEnded):
            world.answer(job, CallingModel(("", fill(world)), ("Done.",)))
        assert (len(world.versions()), world.session.version) == (1, 1)
        assert next(close, None) is None

    def test_nothing_is_published_by_a_job_that_is_not_the_active_one(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        world.change(active_job_id="job_other")
        with pytest.raises(JobEnded):
            world.answer(job, CallingModel(("", fill(world)), ("Done.",)))
        assert len(world.versions()) == 1


def interposed(world: ChatWorld, acts: Any) -> Any:
    """Let the next of the acts happen right before each publication is stored."""
    publish = Publishing.publish

    def slow(self: Publishing, *arguments: Any, **named: Any) -> Any:
        act: Callable[[], object] | None = next(acts, None)
        if act is not None:
            act()
        return publish(self, *arguments, **named)

    return patch.object(Publishing, "publish", slow)


MOMENTS = ("before it is looked for", "after it was looked for", "after it was computed", "before it is saved")


class TestStragglers:
    """An attempt that Step Functions has given up runs a call that its retry runs too: only the retry publishes."""

    @pytest.mark.parametrize("moment", MOMENTS)
    @pytest.mark.parametrize("overwrites", [False, True])
    def test_a_change_is_made_once(self, world: ChatWorld, moment: str, overwrites: bool) -> None:
        job = world.new_job()
        world.prepare(job)
        change = write(world, allowOverwrite=overwrites)
        model = CallingModel(("", change, fill(world)), ("Done.",))
        with straggling(world, job, change, moment, position=1):
            answer = world.answer(job, model, retry=1)
        _, first, second = world.versions()
        assert [each["version"] for each in results_of(model)] == [2, 3]
        assert [first.origin, second.origin] == [f"{job.id}:turn-01-call-1", f"{job.id}:turn-01-call-2"]
        assert answer["versions"] == [2, 3]

    @pytest.mark.parametrize("moment", MOMENTS)
    @pytest.mark.parametrize("changes", [1, 2])
    def test_an_undo_is_made_once(self, world: ChatWorld, moment: str, changes: int) -> None:
        """Made twice, it would undo one more change of this answer, or find none."""
        job = world.new_job()
        world.prepare(job)
        undo = call("undo_last_change")
        made = [write(world), fill(world)][:changes]
        model = CallingModel(("", *made, undo), ("Done.",))
        with straggling(world, job, undo, moment, position=1 + changes):
            answer = world.answer(job, model, retry=1)
        *_, undone = world.versions()
        assert [each["version"] for each in results_of(model)] == [2, 3, 4][: changes + 1]
        assert undone.origin == f"{job.id}:turn-01-call-{changes + 1}"
        assert [each.kind for each in world.versions()] == ["load", *["change"] * changes, "undo"]
        assert answer["versions"] == [each.number for each in world.versions()[1:]]

    @pytest.mark.parametrize("fault", [InvalidModelOutput("nothing"), StorageUnavailable("down")])
    def test_it_publishes_nothing_after_its_retry_has_failed(self, world: ChatWorld, fault: MillraceError) -> None:
        """The answer of the failed job would not name its version."""
        job = world.new_job()
        world.prepare(job)
        with pytest.raises(type(fault)):
            world.answer(job, CallingModel(fault), retry=1)
        with pytest.raises(AttemptSuperseded):
            asyncio.run(straggle(world, job, write(world), f"{job.id}:turn-01-call-1"))
        assert (len(world.versions()), world.session.version) == (1, 1)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [({"status": JobStatus.FAILED}, JobEnded), ({"fence": "00001.001.001.12345678"}, AttemptSuperseded)],
    )
    def test_it_publishes_nothing_if_it_loses_the_job_while_its_data_is_stored(
        self, world: ChatWorld, changes: dict[str, Any], error: type[Exception]
    ) -> None:
        """Only the transaction can know: the session is as it was, and the attempt had the job a moment before."""
        job = world.new_job()
        world.prepare(job)
        lost = iter([lambda: world.core.jobs.update(job.id, changes, when=JobGuard())])

        def before_put(key: str) -> None:
            act = next(lost, None) if "/models/" in key else None
            if act is not None:
                act()

        world.data.before_put = before_put
        model = CallingModel(("", write(world)), ("Done.",))
        with pytest.raises(error):
            world.answer(job, model)
        assert (len(world.versions()), world.session.version) == (1, 1)
        assert next(lost, None) is None


def results_of(model: CallingModel) -> list[dict[str, Any]]:
    return [json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool"]


@contextmanager
def straggling(world: ChatWorld, job: Job, made: Any, moment: str, *, position: int) -> Iterator[None]:
    """Let the attempt before try to publish the call at this moment of the one that runs, once."""
    origin = f"{job.id}:turn-01-call-{position}"
    left = [moment]

    def reach(reached: str, asked: str | None) -> None:
        if [reached] == left and asked == origin:
            left.clear()
            with pytest.raises(AttemptSuperseded):
                asyncio.run(straggle(world, job, made, origin))

    find, publish, undo, save = Publishing.find, Publishing.publish, History.undo, world.sessions.save

    def found(self: Publishing, session_id: str, asked: str, **named: Any) -> Any:
        reach("before it is looked for", asked)
        version = find(self, session_id, asked, **named)
        reach("after it was looked for", asked)
        return version

    def published(self: Publishing, *arguments: Any, **named: Any) -> Any:
        reach("after it was computed", arguments[-1].origin)
        return publish(self, *arguments, **named)

    def undone(self: History, *arguments: Any, **named: Any) -> Any:
        reach("after it was computed", named["origin"])
        return undo(self, *arguments, **named)

    def saved(change: SessionChange, **named: Any) -> None:
        reach("before it is saved", None if change.version is None else change.version.origin)
        save(change, **named)

    with (
        patch.object(Publishing, "find", found),
        patch.object(Publishing, "publish", published),
        patch.object(History, "undo", undone),
        patch.object(world.sessions, "save", saved),
    ):
        yield
    assert not left


async def straggle(world: ChatWorld, job: Job, made: ToolCall, origin: str) -> None:
    """Run the call as the first attempt at the stage, which has asked for its version already."""
    guard = AttemptGuard(world.core.jobs, job.id, Fence.of_attempt(generation=1, stage=1, retry=0))
    workspace = SheetWorkspace(world.services, session_id=SESSION, guard=guard, base=1)
    checked = TOOLBOX.check(made, None)
    assert isinstance(checked, CheckedCall)
    outcome = checked.tool.function(await workspace.state(), checked.arguments)
    try:
        await workspace.publish(origin, outcome)
    finally:
        await workspace.close()


class TestDeaths:
    @pytest.mark.parametrize("died", ["before", "between"])
    def test_each_call_has_one_version_when_an_attempt_dies_around_its_publication(
        self, world: ChatWorld, died: str
    ) -> None:
        """The first attempt makes its second call's version, or not, and dies before its result is kept."""
        job = world.new_job()
        world.prepare(job)
        publish, publications = Publishing.publish, iter(range(9))

        def dying(self: Publishing, *arguments: Any, **named: Any) -> Any:
            if next(publications) != 1:
                return publish(self, *arguments, **named)
            _, workbook, *_ = arguments
            if died == "between":
                workbook = publish(self, *arguments, **named).workbook
            workbook.close()
            raise KeyboardInterrupt

        first = CallingModel(("", write(world), fill(world)))
        with patch.object(Publishing, "publish", dying), pytest.raises(KeyboardInterrupt):
            world.answer(job, first)
        second = CallingModel(("Done.",))
        answer = world.answer(job, second, retry=1)

        assert [each.title for each in world.versions()[1:]] == [
            f"Write 1 cell to {world.sheet}!D1",
            f"Fill {world.sheet}!D2:D5 with =B2*C2",
        ]
        assert answer["versions"] == [2, 3]
        assistant, *results = second.requests[0].messages[-3:]
        assert [each.id for each in assistant.tool_calls] == [each.tool_call_id for each in results]
        assert all(json.loads(each.text)["ok"] for each in results)

    def test_an_undo_that_was_published_is_not_repeated(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        undo, undone = world.services.history.undo, []

        def dying(*arguments: Any, **named: Any) -> Any:
            undone.append(undo(*arguments, **named))
            raise KeyboardInterrupt

        calls = (write(world), fill(world, cells="E2:E5"), call("undo_last_change", "c3"))
        with patch.object(world.services.history, "undo", dying), pytest.raises(KeyboardInterrupt):
            world.answer(job, CallingModel(("", *calls)))
        world.answer(job, CallingModel(("Done.",)), retry=1)
        assert [each.kind for each in world.versions()] == ["load", "change", "change", "undo"]

    def test_the_engines_death_costs_one_call(self, world: ChatWorld) -> None:
        """A process that dies between two calls is not noticed by the model at all."""
        children: list[int] = []
        start = ProcessEngine.open

        def noted(self: ProcessEngine, snapshot: bytes) -> Any:
            workbook = start(self, snapshot)
            assert workbook._child is not None
            children.append(workbook._child._process.pid)
            return workbook

        original = SheetWorkspace.published

        async def published(self: SheetWorkspace, origin: str) -> Any:
            await self.state()
            os.kill(children[-1], signal.SIGKILL)
            return await original(self, origin)

        with patch.object(ProcessEngine, "open", noted), patch.object(SheetWorkspace, "published", published):
            results = world.converse([fill(world)], [call("describe_workbook")])
        assert [each["ok"] for each in results] == [True, True]
        assert len(world.versions()) == 2
        assert len(set(children)) == len(children) > 3

    @pytest.mark.parametrize("within", ["read", "apply", "scan", "snapshot"])
    def test_a_call_whose_engine_is_killed_runs_again_in_a_new_process(self, world: ChatWorld, within: str) -> None:
        """The model is not told of memory that was never needed, and its change is made once."""
        job = world.new_job()
        world.prepare(job)
        act, kills = ProcessWorkbook._call, iter([True])

        def killed(self: ProcessWorkbook, request: dict[str, Any], *arguments: Any) -> Any:
            if request["call"] == within and next(kills, False):
                assert self._child is not None
                os.kill(self._child._process.pid, signal.SIGKILL)
            return act(self, request, *arguments)

        model = CallingModel(("", fill(world)), ("Done.",))
        with patch.object(ProcessWorkbook, "_call", killed):
            world.answer(job, model)
        (result,) = (json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool")
        assert result["version"] == 2
        assert len(world.versions()) == 2
        assert next(kills, None) is None

    def test_an_engine_that_is_killed_again_and_again_ends_the_attempt_with_the_reason(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        act = ProcessWorkbook._call

        def killed(self: ProcessWorkbook, request: dict[str, Any], *arguments: Any) -> Any:
            if request["call"] == "apply":
                assert self._child is not None
                os.kill(self._child._process.pid, signal.SIGKILL)
            return act(self, request, *arguments)

        with (
            patch.object(ProcessWorkbook, "_call", killed),
            pytest.raises(StorageUnavailable, match="was killed by SIGKILL"),
        ):
            world.answer(job, CallingModel(("", fill(world))))
        assert len(world.versions()) == 1

    def test_a_storage_fault_is_tried_again_and_publishes_once(self, world: ChatWorld) -> None:
        faults = iter([StorageUnavailable("down")])

        def before_put(_: str) -> None:
            fault = next(faults, None)
            if fault is not None:
                raise fault

        world.data.before_put = before_put
        (result,) = world.converse([fill(world)])
        assert result["version"] == 2
        assert len(world.versions()) == 2


class TestLostData:
    def test_the_job_fails_and_the_session_says_what_helps(self, world: ChatWorld) -> None:
        job = world.new_job()
        world.prepare(job)
        for key in [each for each in world.data.objects if "/models/" in each]:
            del world.data.objects[key]
        with pytest.raises(DataLost, match="recover the session"):
            world.answer(job, CallingModel(("", fill(world)), ("Done.",)))
        assert world.session.state is SessionState.ERROR

    def test_a_snapshot_of_another_engine_is_not_read(self, world: ChatWorld) -> None:
        job = world.new_job()
        name = f"sheets/{SESSION}/models/{world.session.snapshot}"
        world.data.objects[name] = b"another format"
        with pytest.raises(DataLost):
            world.prepare(job)
        assert world.session.state is SessionState.ERROR
