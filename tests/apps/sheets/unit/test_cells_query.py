"""Cells are read from blocks: those of the newest version or an older one, never stale ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.apps.sheets.addresses import Cell, parse_area
from shared.apps.sheets.session import SessionState
from shared.errors import Conflict, ErrorCode, Forbidden, InvalidInput, NotFound
from tests.apps.sheets.versions_world import OWNER, SESSION, VersionsWorld


def test_a_read_returns_rows_without_empty_ends() -> None:
    world = VersionsWorld([["a", "", ""], ["", "b", ""], [""]])
    assert world.read("A1:C9") == [["a"], [None, "b"]]
    assert world.read("B1:C1") == []
    assert world.read("B2") == [["b"]]


CORNERS = ["A1", "BL512", "BM512", "BL513", "BM513", "BN514", "C511"]


@pytest.fixture(scope="module")
def world_with_corners() -> VersionsWorld:
    """A sheet with a value in each of several blocks, at their corners; tests only read it."""
    world = VersionsWorld([["first"]])
    for at in CORNERS:
        world.write(at, at)
    return world


@pytest.mark.parametrize("cells", ["A1:C3", "BL511:BN514", "A510:BM513", "BM513", "A1:B600", "BK1:BN2"])
def test_a_range_over_several_blocks_is_read_whole(world_with_corners: VersionsWorld, cells: str) -> None:
    area = parse_area(cells)
    shown = {
        str(Cell(area.first.row + down, area.first.column + right))
        for down, row in enumerate(world_with_corners.read(cells))
        for right, value in enumerate(row)
        if value is not None
    }
    assert shown == {at for at in CORNERS if parse_area(at).first in area}


def test_an_older_version_is_read_as_it_was() -> None:
    world = VersionsWorld([["old"]])
    world.write("A1", "new")
    assert world.read("A1", version=1) == [["old"]]
    assert world.read("A1", version=2) == world.read("A1") == [["new"]]


def test_an_etag_changes_only_with_the_blocks_of_its_range() -> None:
    world = VersionsWorld([["a"]])
    world.write("A600", 1)
    near, far = world.find("A1:B9").etag, world.find("A600").etag
    world.write("A599", 2)
    assert world.find("A1:B9").etag == near
    assert world.find("A600").etag != far
    assert world.find("A1:B8").etag != near, "another range has another ETag"


def test_an_etag_is_the_old_one_again_after_undo() -> None:
    world = VersionsWorld()
    before = world.find().etag
    world.write("A1", "x")
    assert world.find().etag != before
    world.edits.undo(OWNER, SESSION, expected=None)
    assert world.find().etag == before


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(["A1", "B2", "A600", "BM1"]), st.integers(0, 2) | st.booleans()),
        st.tuples(st.sampled_from(["undo", "redo", "read", "message"]), st.none(), st.none()),
    ),
    max_size=12,
)


@given(ACTIONS)
@settings(max_examples=40, deadline=None)
@pytest.mark.no_cover
def test_no_reader_that_keeps_what_its_etag_says_has_stale_cells(actions: list[tuple[str, Any, Any]]) -> None:
    """A client keeps a response by its ETag; whenever the ETag is the same, the cells must be the same."""
    world = VersionsWorld([["a"]])
    kept: dict[str, Any] = {}
    for action, at, value in actions:
        try:
            match action:
                case "write":
                    world.write(at, value)
                case "undo":
                    world.edits.undo(OWNER, SESSION, expected=None)
                case "redo":
                    world.edits.redo(OWNER, SESSION, expected=None)
                case "message":
                    world.change(messages=1)
                case _:
                    pass
        except Conflict:
            pass
        snapshot = world.engine.open(world.data.snapshot(SESSION, str(world.session.snapshot)))
        for cells in ("A1:C3", "A1:B600", "A600", "BM1:BN1"):
            found = world.find(cells)
            shown = world.query.read(found)
            assert kept.setdefault(found.etag, repr(shown)) == repr(shown)
            fresh = [[cell.value for cell in row] for row in snapshot.read("Sheet1", parse_area(cells))]
            padded = [[*row, *[None] * (len(fresh[0]) - len(row))] for row in shown]
            padded += [[None] * len(fresh[0])] * (len(fresh) - len(padded))
            assert repr(padded) == repr(fresh)


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ("ZZZ9", "ZZZ is no column"),
        ("A0", "is no cell"),
        ("A1:B", "is no range"),
        ("", "is no cell"),
        ("A1:A1048577", "the last row is 1048576"),
        ("A1:XFD3", "at most 32768 cells"),
        ("A1:B1048576", "at most 32768 cells; it has 2097152"),
        ("Sheet1!A1", "is no cell"),
        ("A1:\ud800", "is no range"),
    ],
)
def test_a_bad_range_is_refused_with_its_rule(cells: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as refused:
        VersionsWorld().find(cells)
    assert [issue.field for issue in refused.value.issues] == ["range"]


def test_a_reversed_range_is_read_from_its_other_corner() -> None:
    assert VersionsWorld().read("B2:A1") == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("sheet", ["", "Sheet 1", "It's", "💡", "\ud800", "x" * 1000])
def test_an_unknown_sheet_is_refused_with_the_nearest_names(sheet: str) -> None:
    with pytest.raises(InvalidInput, match="'Sheet1'") as refused:
        VersionsWorld().find(sheet=sheet)
    assert [issue.field for issue in refused.value.issues] == ["sheet"]


@pytest.mark.parametrize("version", [-1, 0, 2, 10**30])
def test_a_version_that_never_was_is_not_found(version: int) -> None:
    with pytest.raises(NotFound, match="the newest version is 1"):
        VersionsWorld().find(version=version)


def test_an_old_version_that_was_thinned_out_is_not_found() -> None:
    world = VersionsWorld()
    world.write("A1", "x")
    first = world.sessions.version(SESSION, 1)
    assert first is not None
    del world.data.objects[f"sheets/{SESSION}/maps/{first.map}"]
    with pytest.raises(NotFound, match="version 1 is not kept any more"):
        world.find(version=1)
    assert world.session.state is SessionState.ACTIVE


def test_another_user_reads_nothing() -> None:
    with pytest.raises(Forbidden):
        VersionsWorld().query.find("eve", SESSION, sheet="Sheet1", cells="A1", version=None)


@pytest.mark.parametrize("folder", ["maps", "blocks", "models"])
def test_a_read_moves_a_session_whose_data_is_gone_to_error_and_recover_brings_it_back(folder: str) -> None:
    world = VersionsWorld([["old"]])
    world.write("A1", "new")
    newest = world.session
    lost = [key for key, at in world.data.stored_at.items() if f"/{folder}/" in key][-1]
    del world.data.objects[lost]
    with pytest.raises(Conflict, match="recover the session") as refused:
        world.read("A1")
    assert refused.value.code is ErrorCode.DATA_GONE
    assert world.session.state is SessionState.ERROR
    assert world.session.errors[-1].action == "recover"
    recovered = world.history.recover(world.session)
    assert recovered is not None
    assert (recovered.state, recovered.version) == (SessionState.ACTIVE, newest.version + 1)
    assert world.read("A1") == [["old"]]


def test_a_session_that_is_not_active_is_not_read() -> None:
    world = VersionsWorld()
    world.change(state=SessionState.CLOSED)
    with pytest.raises(Conflict, match="cannot be read"):
        world.find()
