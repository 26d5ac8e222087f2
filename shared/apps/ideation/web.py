"""Brainstorming on the wire: its operations, and what of a run is its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from fastapi import Request
from pydantic import ConfigDict, Field

from shared.apps.ideation.models import GenreShare, Group, Idea, IdeationInput, Ranked
from shared.apps.ideation.plan import genre_shares
from shared.apps.ideation.recording import GROUPS, IDEAS, RANKING
from shared.runs.queries import RunView
from shared.runs.run import PARAMETERS
from shared.runtime.settings import StreamSettings
from shared.schema import Schema
from shared.web.runs import RunSummary, RunUrls, TransformDetail, latest_content, run_fields, transform_detail


class Operation(StrEnum):
    """The operations of this application: one per HTTP function."""

    CREATE_IDEATION = "create_ideation"
    LIST_IDEATIONS = "list_ideations"
    GET_IDEATION = "get_ideation"
    GET_IDEATION_JOB = "get_ideation_job"
    GET_IDEATION_LINEAGE = "get_ideation_lineage"
    DELETE_IDEATION = "delete_ideation"


JOB_EXAMPLES: dict[str, Any] = {
    "ideas": {
        "summary": "Ten ideas in two genres, the best first",
        "value": {
            "pipeline": "ideation",
            "input": {
                "platform": "mobile game",
                "genrePaths": [["Puzzle"], ["Fiction", "Mystery", "Cozy"]],
                "genreProportions": [30, 70],
                "requirements": "Playable with one hand.",
                "arrangement": "rank",
            },
        },
    },
}
"""Request bodies of `POST /jobs` that the OpenAPI document shows, by name."""


class NewIdeation(IdeationInput):
    """A brainstorming run to be opened."""

    # Our own code may say `genre_paths`; a client may not.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class IdeationParameters(Schema):
    """What was asked for, as it was stored then: by the rules of that day."""

    model_config = ConfigDict(extra="ignore")

    platform: str
    genre_paths: tuple[tuple[str, ...], ...]
    genre_proportions: tuple[float, ...]
    requirements: str | None = None
    requested_at: datetime
    idea_count: int = 10
    arrangement: str = "none"
    custom_model: str | None = None
    agent_id: str | None = None


class RunDetail(RunSummary):
    """A run with all there is of it: while it is running, the ideas so far."""

    parameters: IdeationParameters
    ideas: tuple[Idea, ...]
    genres: tuple[GenreShare, ...] = Field(description="how many ideas each genre path was to get, and has")
    ranking: tuple[Ranked, ...] | None
    groups: tuple[Group, ...] | None
    transform: TransformDetail | None


def ideation_urls(request: Request) -> RunUrls:
    return RunUrls(request, StreamSettings.read().stream_url, collection="/ideations")


def detail(view: RunView, urls: RunUrls) -> RunDetail:
    parameters = IdeationParameters.model_validate(latest_content(view.lineage, PARAMETERS))
    ideas = _ideas(view)
    return RunDetail(
        **run_fields(view.run, urls),
        parameters=parameters,
        ideas=ideas,
        genres=tuple(genre_shares(parameters, ideas)),
        ranking=latest_content(view.lineage, RANKING).get(RANKING),
        groups=latest_content(view.lineage, GROUPS).get(GROUPS),
        transform=transform_detail(view.transform) if view.transform else None,
    )


def _ideas(view: RunView) -> tuple[Idea, ...]:
    found: Sequence[Any] = (
        [item.data for item in view.job.transcript.items.values()]
        if view.job is not None
        else latest_content(view.lineage, IDEAS).get(IDEAS, ())
    )
    return tuple(map(Idea.model_validate, found))
