"""The services of brainstorming, over the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bootstrap import core

if TYPE_CHECKING:
    from shared.runs.deletion import RunDeletion
    from shared.runs.queries import RunQueries

KIND = "ideation"
"""The kind of runs that this application keeps: the name of its pipeline."""


def run_queries() -> RunQueries:
    return core().run_queries(KIND)


def run_deletion() -> RunDeletion:
    return core().run_deletion(KIND)
