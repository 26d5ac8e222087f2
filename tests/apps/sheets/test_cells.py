"""Cells over HTTP: every bad request is refused with its rule and the right status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api_user import ApiUser, data_of
from tests.apps.sheets.requests import active_session

BIG = "x" * 32_768
BAD_READS: list[tuple[dict[str, str], int, str]] = [
    ({"sheet": "Sheet1"}, 422, "range"),
    ({"range": "A1"}, 422, "sheet"),
    ({"sheet": "It's 💡", "range": "A1"}, 422, "sheet"),
    ({"sheet": "Sheet1", "range": "ZZZ9"}, 422, "range"),
    ({"sheet": "Sheet1", "range": "A0"}, 422, "range"),
    ({"sheet": "Sheet1", "range": "A1:B1048576"}, 422, "range"),
    ({"sheet": "Sheet1", "range": "A1", "version": "9"}, 404, ""),
    ({"sheet": "Sheet1", "range": "A1", "version": "0"}, 422, "version"),
    ({"sheet": "Sheet1", "range": "A1", "colour": "red"}, 422, "colour"),
]
BAD_CELLS: list[tuple[str, int, str]] = [
    ('[{"at": "A0", "value": 1}]', 422, "cells.0.at"),
    ('[{"at": "A1"}]', 422, "cells.0"),
    ('[{"at": "A1", "value": 1, "formula": "=1"}]', 422, "cells.0"),
    ('[{"at": "A1", "value": NaN}]', 422, "cells.0.value"),
    ('[{"at": "A1", "value": 1e999}]', 422, "cells.0.value"),
    ('[{"at": "A1", "value": [1]}]', 422, "cells.0.value"),
    ('[{"at": "A1", "value": "\\ud800"}]', 422, "cells"),
    (json.dumps([{"at": "A1", "value": BIG}]), 422, "cells.0.value"),
    ('[{"at": "A1", "formula": "1+1"}]', 422, "cells.0.formula"),
    ('[{"at": "A1", "formula": "=WEBSERVICE(1)"}]', 422, "cells"),
    ('[{"at": "A1", "formula": "=\'[other.xlsx]S\'!A1"}]', 422, "cells"),
    ('[{"at": "A1", "formula": "=SUM("}]', 422, "cells"),
    ("[]", 422, "cells"),
    (json.dumps([{"at": "A1", "value": 1}] * 501), 422, "cells"),
    (json.dumps([{"at": "A1", "value": 1}, {"at": "$A$1", "value": 2}]), 422, "cells.1.at"),
]


@pytest.fixture
def path(user: ApiUser) -> str:
    return f"/sessions/{active_session(user)['sessionId']}"


def test_every_bad_read_is_refused(user: ApiUser, path: str) -> None:
    for query, status, field in BAD_READS:
        refused_for(user.api.get(f"{path}/cells", params=query), status, field)


def test_every_bad_cell_is_refused_and_changes_nothing(user: ApiUser, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    for cells, status, field in BAD_CELLS:
        body = f'{{"sheet": "Sheet1", "cells": {cells}}}'
        refused_for(user.api.patch(f"{path}/cells", content=body, headers=headers), status, field)
    assert [each["version"] for each in data_of(user.api.get(f"{path}/versions"))["versions"]] == [1]


def test_a_change_of_another_version_is_refused_and_there_is_nothing_to_undo(user: ApiUser, path: str) -> None:
    for name in ("undo", "redo"):
        for tag, status in (('"v0"', 412), ('"v99"', 412), ('"s1"', 422), ("v1", 422)):
            assert user.api.post(f"{path}/{name}", headers={"If-Match": tag}).status_code == status
        assert user.api.post(f"{path}/{name}").json()["error"]["code"] == "CONFLICT"


def refused_for(response: Any, status: int, field: str) -> None:
    assert response.status_code == status, (response.request.content[:200], response.text)
    fields = [each["field"] for each in response.json()["error"]["details"]["fields"]]
    assert not field or any(each.startswith(field) for each in fields), (response.request.content[:200], fields)
