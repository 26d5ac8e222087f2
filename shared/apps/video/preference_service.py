"""Read and change the preferences of users and projects."""

from __future__ import annotations

from collections.abc import Mapping

from shared.apps.video.preferences import (
    MOST_FACTS,
    Preferences,
    PreferenceScope,
    PreferenceStore,
    StalePreferences,
    changed,
)
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.queries import owned_project
from shared.clock import Clock
from shared.errors import FieldIssue, Forbidden, InvalidInput, NotFound, StorageThrottled

MOST_TRIES = 20
"""How often a change is made again because another one has changed the preferences meanwhile."""


class PreferenceService:
    """Preferences of a user, or with a project's id of one of the user's projects."""

    def __init__(self, *, store: PreferenceStore, projects: ProjectStore, clock: Clock) -> None:
        self._store = store
        self._projects = projects
        self._clock = clock

    def get(self, owner: str, project_id: str | None) -> Preferences:
        """Return the preferences. Raises InvalidInput if the owner has no such project."""
        return self._store.get(self._scope(owner, project_id))

    def update(self, owner: str, project_id: str | None, values: Mapping[str, str | None]) -> Preferences:
        """Set these facts, and remove those that are None.

        Raises InvalidInput if the owner has no such project, or there would be too many facts.
        """
        for _ in range(MOST_TRIES):
            scope = self._scope(owner, project_id)
            try:
                after = changed(self._store.get(scope), values, at=self._clock())
            except ValueError:
                rule = f"would be more than {MOST_FACTS} facts; remove some with null first"
                raise InvalidInput([FieldIssue("facts", rule)]) from None
            try:
                self._store.save(scope, after)
            except StalePreferences:
                continue
            return after
        raise StorageThrottled("the preferences are changed by others all the time; try again")

    def _scope(self, owner: str, project_id: str | None) -> PreferenceScope:
        if project_id is not None:
            try:
                owned_project(self._projects, owner, project_id)
            except (NotFound, Forbidden):
                raise InvalidInput([FieldIssue("projectId", "must be the id of one of your projects")]) from None
        return PreferenceScope(owner, project_id)
