"""What requests to the operations of sheet chat need that no schema of the OpenAPI document can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api_user import ApiUser
from tests.apps.sheets.requests import uploaded_session

EXISTING: dict[str, Callable[[ApiUser], str]] = {"sessionId": lambda user: str(uploaded_session(user)["sessionId"])}
"""Parameter of a path → make what it names."""


def follow_rules(case: Any) -> None:
    """Give ranges, cells and `If-Match` the form of each, and each cell a value or a formula."""
    if case.path != "/sessions/{sessionId}/cells":
        return
    if case.query and "range" in case.query:
        case.query["range"] = "A1:D50"
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = '"v1"'
    if isinstance(case.body, dict) and "cells" in case.body:
        values = [cell.get("value") for cell in case.body["cells"]]
        cells = [{"at": f"A{row}", "value": _in_a_cell(value)} for row, value in enumerate(values, 1)]
        case.body |= {"cells": [*cells[:-1], {"at": f"A{len(cells)}", "formula": "=1+1"}]}


def _in_a_cell(value: Any) -> Any:
    """Return the value, or 1 for a number that a cell cannot hold."""
    return 1 if isinstance(value, int) and not isinstance(value, bool) else value
