"""Every event of `events/` is used by a test."""

from __future__ import annotations

from tests.layout import EVENT_FILES, ROOT


def test_every_event_is_used_by_a_test() -> None:
    files = [*(ROOT / "tests/handlers").glob("test_*.py"), *(ROOT / "tests/apps").glob("*/test_*.py")]
    tests = "".join(path.read_text() for path in files)

    assert EVENT_FILES
    assert {event for event in EVENT_FILES if f'"{event}"' not in tests} == set()
