"""What requests to the ideation operations need that no schema of the OpenAPI document can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api_user import ApiUser
from tests.apps.ideation.requests import finished_run

EXISTING: dict[str, Callable[[ApiUser], str]] = {"runId": lambda user: str(finished_run(user, ideaCount=1)["runId"])}
"""Parameter of a path → make what it names."""


def follow_rules(case: Any) -> None:
    """Make the proportions of a run add up, one to each of its genre paths, which all differ."""
    body = case.body
    if case.path == "/ideations" and isinstance(body, dict) and "genrePaths" in body:
        paths = [[f"{number} {path[0]}"[:60], *path[1:]] for number, path in enumerate(body["genrePaths"])]
        body |= {"genrePaths": paths, "genreProportions": [100 / len(paths)] * len(paths)}
