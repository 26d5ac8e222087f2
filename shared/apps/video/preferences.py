"""What a user has asked for once and for all: facts that every message of theirs, or of a project, is answered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

from pydantic import Field

from shared.apps.video.models import LearnedPreference
from shared.jobs.store import PreparedWrites
from shared.schema import Schema

MOST_FACTS = 50
"""Most facts of a user, and of a project."""

FactKey = Annotated[str, Field(min_length=1, max_length=60)]
FactValue = Annotated[str, Field(min_length=1, max_length=300)]


class Fact(Schema):
    """One fact, such as `brandColour: #1d4ed8`: stated by the user, or learned from the message `message_id`."""

    key: FactKey
    value: FactValue
    source: Literal["stated", "learned"]
    message_id: str | None = None
    at: datetime


class Preferences(Schema):
    """The facts of a user or a project, the oldest first. Each change makes the next `version`; 0 means none yet."""

    version: int = 0
    facts: tuple[Fact, ...] = Field(default=(), max_length=MOST_FACTS)


@dataclass(frozen=True, slots=True)
class PreferenceScope:
    """Whose preferences: those of a user for all projects, or those of one project."""

    owner: str
    project_id: str | None = None


class StalePreferences(Exception):
    """The preferences have changed since they were read, or their project was deleted: read them again."""


class PreferenceStore(Protocol):
    """Keep preferences. Reads are strongly consistent. Raises the storage faults of `shared/errors.py`."""

    def get(self, scope: PreferenceScope) -> Preferences:
        """Return the preferences; without facts if there are none."""

    def save(self, scope: PreferenceScope, preferences: Preferences) -> None:
        """Store preferences whose version is the next one.

        Raises StalePreferences if the version before is not the stored one, or the project takes no changes.
        """

    def prepare(self, scope: PreferenceScope, preferences: Preferences) -> PreparedWrites:
        """Prepare what `save` stores, for a transaction that has a condition on the project itself."""


def changed(preferences: Preferences, values: Mapping[str, str | None], *, at: datetime) -> Preferences:
    """Return the preferences with these stated values; None removes a fact.

    Raises ValueError if there would be more than MOST_FACTS.
    """
    kept = [each for each in preferences.facts if each.key not in values]
    stated = [Fact(key=key, value=value, source="stated", at=at) for key, value in values.items() if value is not None]
    if len(kept) + len(stated) > MOST_FACTS:
        raise ValueError(f"there are at most {MOST_FACTS} facts")
    return Preferences(version=preferences.version + 1, facts=(*kept, *stated))


def with_learned(
    preferences: Preferences, learned: Sequence[LearnedPreference], *, message_id: str, at: datetime
) -> Preferences | None:
    """Return the preferences with what a message has taught, or None if that changes nothing.

    What the user has stated stays as it is. If there are too many facts, the oldest learned ones are forgotten.
    """
    stated = {each.key for each in preferences.facts if each.source == "stated"}
    known = {each.key: each.value for each in preferences.facts}
    latest = {each.key: each.value for each in learned if each.key not in stated and known.get(each.key) != each.value}
    if not latest:
        return None
    new = [Fact(key=key, value=value, source="learned", message_id=message_id, at=at) for key, value in latest.items()]
    facts = [*(each for each in preferences.facts if each.key not in latest), *new]
    for each in [each for each in facts if each.source == "learned"][: max(0, len(facts) - MOST_FACTS)]:
        facts.remove(each)
    return Preferences(version=preferences.version + 1, facts=tuple(facts[:MOST_FACTS]))


def facts_of(store: PreferenceStore, owner: str, project_id: str) -> Sequence[Fact]:
    """Return the facts that hold in a project: its own, and those of its owner for which it has none."""
    of_project = store.get(PreferenceScope(owner, project_id)).facts
    own = {each.key for each in of_project}
    return (*(each for each in store.get(PreferenceScope(owner)).facts if each.key not in own), *of_project)
