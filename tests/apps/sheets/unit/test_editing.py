"""A person changes cells, undoes and redoes, and each bad request is refused with its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.apps.sheets.editing import MOST_CHARACTERS
from shared.apps.sheets.ops import CellWrite
from shared.apps.sheets.session import SessionState, VersionPublished
from shared.apps.sheets.workbook import EngineGone, SheetErrorCode, WorkbookRefusal
from shared.errors import (
    Conflict,
    ErrorCode,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    StorageUnavailable,
)
from tests.apps.sheets.versions_world import OWNER, SESSION, VersionsWorld


def test_an_edit_is_a_version_whose_event_has_the_cells() -> None:
    world = VersionsWorld()
    version = world.write("B2", 7)
    assert (version.number, version.kind, version.by, version.title) == (2, "change", "user", "Edit B2")
    event = world.sessions.events(SESSION, after=0)[-1].event
    assert isinstance(event, VersionPublished)
    assert event.cells == {1: {"B2": 7}}
    assert event.blocks is not None
    assert [(each.row, each.column) for each in event.blocks] == [(1, 1)]
    assert world.read() == [["a", "b"], ["c", 7]]
    assert all(each.closed for each in world.engine.opened[1:]), "a process of the engine was left"


def test_a_text_that_begins_like_a_formula_stays_a_text() -> None:
    world = VersionsWorld()
    for text in ("=A1", "00123", "cmd|' /C calc'!A0"):
        world.write("A1", text)
        assert world.read("A1") == [[text]]


def test_undo_and_redo_name_the_cells_that_changed() -> None:
    world = VersionsWorld()
    world.write("B2", 7)
    undone = world.edits.undo(OWNER, SESSION, expected=2)
    assert [(each.range, each.cells) for each in undone.changed] == [("B2", 1)]
    event = world.sessions.events(SESSION, after=0)[-1].event
    assert isinstance(event, VersionPublished)
    assert event.cells == {1: {"B2": "d"}}
    assert (undone.undo_to, undone.redo_to) == (None, 2)
    redone = world.edits.redo(OWNER, SESSION, expected=3)
    assert (redone.undo_to, redone.redo_to) == (1, None)
    assert world.read("B2") == [[7]]


def test_there_is_nothing_to_undo_twice_and_nothing_to_redo_after_a_change() -> None:
    world = VersionsWorld()
    world.write("A1", 1)
    world.edits.undo(OWNER, SESSION, expected=None)
    with pytest.raises(Conflict, match="nothing to undo"):
        world.edits.undo(OWNER, SESSION, expected=None)
    world.write("A1", 2)
    with pytest.raises(Conflict, match="nothing to redo"):
        world.edits.redo(OWNER, SESSION, expected=None)


def test_undo_waits_for_the_job_that_works_on_the_session() -> None:
    world = VersionsWorld()
    world.write("A1", 1)
    world.change(active_job_id="job_a1")
    for act in (world.edits.undo, world.edits.redo):
        with pytest.raises(Conflict, match="job_a1") as busy:
            act(OWNER, SESSION, expected=None)
        assert (busy.value.code, busy.value.active_job_id) == (ErrorCode.SESSION_BUSY, "job_a1")
    assert world.write("A2", 2).number == 3, "a person may write while a job works"


@pytest.mark.parametrize("expected", [0, 1, 3, 10**30])
def test_a_change_of_another_version_than_the_newest_is_refused(expected: int) -> None:
    world = VersionsWorld()
    world.write("A1", 1)
    acts: tuple[Callable[[], Any], ...] = (
        lambda: world.write("A1", 2, expected=expected),
        lambda: world.edits.undo(OWNER, SESSION, expected=expected),
        lambda: world.edits.redo(OWNER, SESSION, expected=expected),
    )
    for act in acts:
        with pytest.raises(PreconditionFailed, match="the newest version is 2"):
            act()
    assert world.session.version == 2


def test_an_expected_version_is_not_left_behind_by_a_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another edit is published after the check of the version: then this one is refused, and not applied again."""
    world = VersionsWorld()
    store = world.data.store

    def meanwhile(session_id: str, version: Any) -> str:
        monkeypatch.setattr(world.data, "store", store)
        world.write("A1", "other")
        return store(session_id, version)

    monkeypatch.setattr(world.data, "store", meanwhile)
    with pytest.raises(PreconditionFailed, match="version 1 is not the newest any more"):
        world.write("A1", "mine", expected=1)
    assert world.read("A1") == [["other"]]


def test_an_edit_without_an_expected_version_is_applied_to_the_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = VersionsWorld()
    store = world.data.store

    def meanwhile(session_id: str, version: Any) -> str:
        monkeypatch.setattr(world.data, "store", store)
        world.write("A2", "other")
        return store(session_id, version)

    monkeypatch.setattr(world.data, "store", meanwhile)
    assert world.write("A1", "mine").number == 3
    assert world.read("A1:A2") == [["mine"], ["other"]]


def test_an_edit_of_a_session_that_is_closed_meanwhile_says_in_which_state_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = VersionsWorld()
    store = world.data.store

    def meanwhile(session_id: str, version: Any) -> str:
        world.change(state=SessionState.CLOSED)
        return store(session_id, version)

    monkeypatch.setattr(world.data, "store", meanwhile)
    with pytest.raises(Conflict) as closed:
        world.write("A1", "mine")
    assert (closed.value.state, closed.value.allowed) == ("CLOSED", ("ACTIVE",))
    assert world.session.version == 1


WRITE = CellWrite(at="A1", value=1)


@pytest.mark.parametrize(
    ("cells", "field", "rule"),
    [
        ([CellWrite(at="A0", value=1)], "cells.0.at", "is no cell"),
        ([CellWrite(at="XFE1", value=1)], "cells.0.at", "is no column"),
        ([CellWrite(at="A1:B2", value=1)], "cells.0.at", "is no cell"),
        ([WRITE, CellWrite(at="$a$1", value=2)], "cells.1.at", "names A1 again"),
        ([CellWrite(at="A1")], "cells.0", "either a value or a formula"),
        ([CellWrite(at="A1", value=1, formula="=1")], "cells.0", "either a value or a formula"),
        ([CellWrite(at="A1", formula="1+1")], "cells.0.formula", "must begin with ="),
        ([CellWrite(at="A1", formula=None)], "cells.0.formula", "must begin with ="),
        ([CellWrite(at="A1", value="x" * (MOST_CHARACTERS + 1))], "cells.0.value", "at most 32767 characters"),
        ([CellWrite(at="A1", value=10**400)], "cells.0.value", "must be a number of at most"),
        ([CellWrite(at="A1", value=-(10**309))], "cells.0.value", "must be a number of at most"),
    ],
)
def test_a_bad_cell_is_refused_with_its_rule(cells: list[CellWrite], field: str, rule: str) -> None:
    world = VersionsWorld()
    with pytest.raises(InvalidInput, match=rule) as refused:
        world.edits.edit(OWNER, SESSION, "Sheet1", cells, expected=None)
    assert field in [issue.field for issue in refused.value.issues]
    assert world.session.version == 1


def test_what_the_workbook_refuses_is_the_requests_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    world = VersionsWorld()
    with pytest.raises(InvalidInput) as refused:
        world.edits.edit(OWNER, SESSION, "Sheet9", [WRITE], expected=None)
    assert [issue.field for issue in refused.value.issues] == ["sheet"]
    refusal = WorkbookRefusal(SheetErrorCode.FORMULA_REFUSED, "WEBSERVICE is refused", hint="use values")

    def refuse(*_: Any) -> Any:
        raise refusal

    monkeypatch.setattr("tests.fakes.workbook.FakeWorkbook.apply", refuse)
    with pytest.raises(InvalidInput, match="WEBSERVICE is refused; use values"):
        world.write("A1", 1)
    refusal = WorkbookRefusal(SheetErrorCode.CONFLICT, "others changed it")
    with pytest.raises(Conflict, match="others changed it"):
        world.write("A1", 1)


@pytest.mark.parametrize("state", [SessionState.INITIALIZING, SessionState.ERROR, SessionState.CLOSED])
def test_only_an_active_session_is_changed(state: SessionState) -> None:
    world = VersionsWorld()
    world.change(state=state)
    acts: tuple[Callable[[], Any], ...] = (
        lambda: world.write("A1", 1),
        lambda: world.edits.undo(OWNER, SESSION, expected=None),
        lambda: world.edits.redo(OWNER, SESSION, expected=None),
    )
    for act in acts:
        with pytest.raises(Conflict, match=f"the session is {state}"):
            act()


def test_an_edit_without_its_snapshot_moves_the_session_to_error() -> None:
    world = VersionsWorld()
    gone, snapshot = f"sheets/{SESSION}/models/{world.session.snapshot}", b"of another engine"
    world.data.objects[gone] = snapshot
    with pytest.raises(Conflict) as unreadable:
        world.write("A1", 1)
    assert unreadable.value.code is ErrorCode.DATA_UNREADABLE
    world.change(state=SessionState.ACTIVE)
    del world.data.objects[gone]
    with pytest.raises(Conflict) as lost:
        world.write("A1", 1)
    assert lost.value.code is ErrorCode.DATA_GONE
    assert world.session.state is SessionState.ERROR


def test_versions_are_listed_newest_first_in_pages() -> None:
    world = VersionsWorld()
    for number in range(4):
        world.write("A1", number)
    page, before = world.edits.versions(OWNER, SESSION, limit=3, before=None)
    assert ([each.number for each in page], before) == ([5, 4, 3], 3)
    page, before = world.edits.versions(OWNER, SESSION, limit=3, before=before)
    assert ([each.number for each in page], before) == ([2, 1], None)


def test_only_the_owner_changes_and_lists() -> None:
    world = VersionsWorld()
    acts: tuple[Callable[[], Any], ...] = (
        lambda: world.edits.edit("eve", SESSION, "Sheet1", [WRITE], expected=None),
        lambda: world.edits.undo("eve", SESSION, expected=None),
        lambda: world.edits.versions("eve", SESSION, limit=1, before=None),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(NotFound):
        world.edits.undo(OWNER, SESSION[:-1] + "b", expected=None)


@pytest.mark.parametrize("call", ["FakeEngine.open", "FakeWorkbook.scan", "FakeWorkbook.snapshot"])
def test_an_edit_whose_engine_ends_changes_nothing_and_may_be_repeated(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    world = VersionsWorld()

    def end(*_: Any) -> Any:
        raise EngineGone

    with monkeypatch.context() as broken:
        broken.setattr(f"tests.fakes.workbook.{call}", end)
        with pytest.raises(StorageUnavailable, match="try again") as gone:
            world.write("A1", 1)
    assert (gone.value.code, gone.value.retryable) == (ErrorCode.WORKER_LOST, True)
    assert (world.session.version, world.session.state) == (1, SessionState.ACTIVE)
    assert world.write("A1", 1).number == 2
