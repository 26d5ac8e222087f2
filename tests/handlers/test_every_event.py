"""No event lies around unused."""

from __future__ import annotations

from pathlib import Path

from tests.layout import EVENT_FILES

HERE = Path(__file__).parent


def test_every_event_is_handled_by_a_test_of_this_folder() -> None:
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))

    assert EVENT_FILES
    assert {event for event in EVENT_FILES if f'"{event}"' not in tests} == set()
