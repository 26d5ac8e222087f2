"""Define the operations and the wire models of brainstorming, and convert its runs to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import Request
from pydantic import ConfigDict, Field

from shared.apps.ideation.models import GenreShare, Group, Idea, IdeationInput, Ranked
from shared.apps.ideation.operations import Operation as Operation  # noqa: PLC0414 - other modules import it from here
from shared.apps.ideation.plan import genre_shares
from shared.apps.ideation.recording import GROUPS, IDEAS, RANKING
from shared.runs.queries import RunView
from shared.runs.run import PARAMETERS
from shared.runtime.settings import StreamSettings
from shared.schema import Schema
from shared.web.runs import RunSummary, RunUrls, TransformDetail, latest_content, run_fields, transform_detail

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
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""


class NewIdeation(IdeationInput):
    """The body of `POST /ideations`: the parameters of a new brainstorming run."""

    # Clients send the API's names only. Other schemas also accept Python's names, such as `genre_paths`.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class IdeationParameters(Schema):
    """The parameters of a run, as they were stored: later versions of the API may have other rules for a new run."""

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
    """A run with its parameters and its ideas. While the run's job is live, these are the ideas so far."""

    parameters: IdeationParameters
    ideas: tuple[Idea, ...]
    genres: tuple[GenreShare, ...] = Field(description="the planned and the found count of ideas for each genre path")
    ranking: tuple[Ranked, ...] | None
    groups: tuple[Group, ...] | None
    transform: TransformDetail | None


def ideation_urls(request: Request) -> RunUrls:
    """Return the builder of the URLs of brainstorming runs."""
    return RunUrls(request, StreamSettings.read().stream_url, collection="/ideations")


def detail(view: RunView, urls: RunUrls) -> RunDetail:
    """Return the wire model of a run with its ideas."""
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
