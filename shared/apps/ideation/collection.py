"""The ideas of a job so far: which are still missing, and whether what the model wrote is one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from shared.apps.ideation.models import Draft, Idea, IdeationInput
from shared.apps.ideation.prompts import list_name
from shared.stages.model_answers import describe_errors


class NotAnIdea(Exception):
    """What the model wrote is none of the ideas that were asked for; the text says why, never in the model's words."""


class IdeaCollection:
    """Holds at most `planned` ideas of the genre path at each place; `ideas` are in the order in which they came."""

    def __init__(self, wanted: IdeationInput, planned: Sequence[int], ideas: Iterable[Idea]) -> None:
        self._wanted = wanted
        self._planned = planned
        self.ideas = list(ideas)

    @property
    def count(self) -> int:
        """How many there are to be in the end."""
        return sum(self._planned)

    @property
    def titles(self) -> list[str]:
        return [idea.title for idea in self.ideas]

    @property
    def missing(self) -> dict[int, int]:
        """How many ideas the genre path at each place still lacks; places that lack none are left out."""
        found = Counter(tuple(idea.genre_path) for idea in self.ideas)
        lacking = {
            place: count - found[tuple(path)]
            for place, (path, count) in enumerate(zip(self._wanted.genre_paths, self._planned, strict=True))
        }
        return {place: count for place, count in lacking.items() if count > 0}

    def wants(self, name: str) -> bool:
        """Whether another idea of the list that has this name is missing."""
        return self._place_of(name) is not None

    def next_idea(self, name: str, text: str) -> Idea:
        """The idea that `text` is, JSON out of the list that has this name; it is not added. Raises NotAnIdea."""
        place = self._place_of(name)
        if place is None:
            raise NotAnIdea("no more ideas of this genre are missing")
        try:
            draft = Draft.model_validate_json(text)
        except ValidationError as error:
            raise NotAnIdea(describe_errors(error)) from None
        if _folded(draft.title) in map(_folded, self.titles):
            raise NotAnIdea("title: there is an idea with this title already")
        return Idea(
            number=len(self.ideas) + 1, genre_path=self._wanted.genre_paths[place], **draft.model_dump(by_alias=False)
        )

    def add(self, idea: Idea) -> None:
        self.ideas.append(idea)

    def _place_of(self, name: str) -> int | None:
        return next((place for place in self.missing if list_name(place) == name), None)


def _folded(title: str) -> str:
    return " ".join(title.casefold().split())
