"""What requests to the operations of sheet chat need that no schema of the OpenAPI document can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api_user import ApiUser
from tests.apps.sheets.requests import uploaded_session

EXISTING: dict[str, Callable[[ApiUser], str]] = {"sessionId": lambda user: str(uploaded_session(user)["sessionId"])}
"""Parameter of a path → make what it names."""


def follow_rules(path: str, body: Any) -> None:
    """Change nothing: the document says every rule of these bodies, or a job that breaks one does not run."""
