"""Sessions over HTTP: created, uploaded, loaded, read, recovered, closed and deleted."""

from __future__ import annotations

from tests.api_user import ApiUser
from tests.apps.sheets.requests import active_session


def test_an_uploaded_workbook_is_loaded(user: ApiUser) -> None:
    session = active_session(user)
    assert (session["state"], session["version"]) == ("ACTIVE", 1)
