"""Provide the services of brainstorming on AWS, built from those of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bootstrap import core

if TYPE_CHECKING:
    from shared.runs.deletion import RunDeletion
    from shared.runs.queries import RunQueries

KIND = "ideation"
"""The kind of this application's runs, which is the name of its pipeline."""


def run_queries() -> RunQueries:
    """Return the service that reads brainstorming runs."""
    return core().run_queries(KIND)


def run_deletion() -> RunDeletion:
    """Return the service that deletes brainstorming runs."""
    return core().run_deletion(KIND)
