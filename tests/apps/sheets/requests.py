"""The requests of sheet chat that tests send, and short ways to reach a state."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api_user import ApiUser, data_of

CSV = b"region,amount\nNorth,120.5\nSouth,80\nNorth,99.5\n"
"""A small workbook."""


def new_session(user: ApiUser, content: bytes = CSV, *, name: str = "sales.csv", **fields: Any) -> dict[str, Any]:
    """Create a session for a file and return it."""
    body = {"file": {"name": name, "bytes": len(content), "contentType": "text/csv"}, **fields}
    created: dict[str, Any] = data_of(user.api.post("/sessions", json=body), 201)
    return created


def upload(session: dict[str, Any], content: bytes = CSV) -> httpx.Response:
    """Send the file as the session says, straight to the bucket."""
    target = session["upload"]
    return httpx.request(target["method"], target["url"], content=content, headers=target["headers"])


def uploaded_session(user: ApiUser, content: bytes = CSV, **fields: Any) -> dict[str, Any]:
    session = new_session(user, content, **fields)
    assert upload(session, content).status_code == 200
    return session


def load(user: ApiUser, session_id: str) -> str:
    """Start the load of the session and return its job's id."""
    job_id: str = data_of(user.api.post(f"/sessions/{session_id}/load"), 202)["jobId"]
    return job_id


def active_session(user: ApiUser, content: bytes = CSV, **fields: Any) -> dict[str, Any]:
    """Return a session whose file is loaded."""
    session_id = uploaded_session(user, content, **fields)["sessionId"]
    job = user.ended(load(user, session_id))
    assert job["status"] == "completed", job["failure"]
    return get_session(user, session_id)


def get_session(user: ApiUser, session_id: str) -> dict[str, Any]:
    session: dict[str, Any] = data_of(user.api.get(f"/sessions/{session_id}"), 200)
    return session
