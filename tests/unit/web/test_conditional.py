"""Requests of clients that have the current response already."""

from __future__ import annotations

import pytest

from shared.observability.metrics import metrics
from shared.web.conditional import REVALIDATE, is_current, not_modified


@pytest.mark.parametrize(
    ("header", "current"),
    [(None, False), ('"s1"', True), ('W/"s1"', True), ('"s7", "s1"', True), ("*", True), ('"s11"', False), ("", False)],
)
def test_a_header_names_the_current_response_or_not(header: str | None, current: bool) -> None:
    assert is_current('"s1"', header) is current


def test_every_response_304_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "not_modified", counted.append)
    response = not_modified("get_session", '"s1"')
    assert (response.status_code, response.headers["etag"], response.headers["cache-control"]) == (
        304,
        '"s1"',
        REVALIDATE,
    )
    assert counted == ["get_session"]
