"""What this application stores of a user, for the tests of erasures."""

from __future__ import annotations

from tests.api_user import AT_ONCE, ApiUser, data_of
from tests.apps.sheets.requests import active_session, new_session


def store(user: ApiUser, marker: str) -> None:
    """Store a loaded session with a message and an export, and one whose file is not uploaded, with the marker."""
    content = f"region,amount\n{marker},120.5\nSouth,80\n".encode()
    session_id = active_session(user, content, name=f"{marker}.csv")["sessionId"]
    text = f"{marker}: what is the sum? [[script: {AT_ONCE}]]"
    asked = data_of(user.api.post(f"/sessions/{session_id}/messages", json={"text": text}), 202)
    user.ended(asked["jobId"])
    exported = data_of(user.api.post(f"/sessions/{session_id}/exports", json={"format": "xlsx"}), 202)
    user.ended(exported["jobId"])
    new_session(user, name=f"{marker} 2.csv")
