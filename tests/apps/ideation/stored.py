"""What this application stores of a user, for the tests of erasures."""

from __future__ import annotations

from tests.api_user import AT_ONCE, ApiUser
from tests.apps.ideation.requests import finished_run, new_run


def store(user: ApiUser, marker: str) -> None:
    """Store a completed run, and one whose job waits for its model, each with the marker in its parameters."""
    finished_run(user, platform=marker, requirements=f"{marker} [[script: {AT_ONCE}]]")
    new_run(user, platform=marker, requirements=f"{marker} [[script: hang_after=0]]")
