"""Collect the ideas of a job: know which are still missing, and check each idea that the model writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.apps.ideation.models import Draft, Idea, IdeationInput
from shared.apps.ideation.prompts import list_name
from shared.stages.answers import InvalidAnswer, read_answer


class InvalidIdea(Exception):
    """The model wrote an idea that is not valid or not missing; the text says why, without the model's words."""


class IdeaCollection:
    """The ideas of a job in the order in which they were written; `planned` is the count for each genre path."""

    def __init__(self, job_input: IdeationInput, planned: Sequence[int], ideas: Iterable[Idea]) -> None:
        self._input = job_input
        self._planned = planned
        self.ideas = list(ideas)

    @property
    def count(self) -> int:
        """The planned count of all ideas."""
        return sum(self._planned)

    @property
    def titles(self) -> list[str]:
        """The titles of the ideas so far."""
        return [idea.title for idea in self.ideas]

    @property
    def missing(self) -> dict[int, int]:
        """The count of missing ideas by the index of their genre path; complete genre paths are left out."""
        found = Counter(tuple(idea.genre_path) for idea in self.ideas)
        missing = {
            index: count - found[tuple(path)]
            for index, (path, count) in enumerate(zip(self._input.genre_paths, self._planned, strict=True))
        }
        return {index: count for index, count in missing.items() if count > 0}

    @property
    def only_missing_list(self) -> str | None:
        """The name of the only list in which ideas are missing; None if there are several, or none."""
        missing = self.missing
        return list_name(next(iter(missing))) if len(missing) == 1 else None

    def lacks(self, name: str) -> bool:
        """Return whether an idea is missing in the model's list of this name."""
        return self._index_of(name) is not None

    def next_idea(self, name: str, text: str) -> Idea:
        """Return the idea whose JSON the model wrote to its list of this name. The idea is not added yet.

        Raises InvalidIdea if the JSON is not valid, its title exists already, or no idea of the list is missing.
        """
        index = self._index_of(name)
        if index is None:
            raise InvalidIdea("no more ideas of this genre are missing")
        try:
            draft = read_answer(Draft, text)
        except InvalidAnswer as invalid:
            raise InvalidIdea(str(invalid)) from None
        if _folded(draft.title) in map(_folded, self.titles):
            raise InvalidIdea("title: another idea has this title already")
        return Idea(
            number=len(self.ideas) + 1, genre_path=self._input.genre_paths[index], **draft.model_dump(by_alias=False)
        )

    def add(self, idea: Idea) -> None:
        """Add an idea that `next_idea` returned."""
        self.ideas.append(idea)

    def _index_of(self, name: str) -> int | None:
        return next((index for index in self.missing if list_name(index) == name), None)


def _folded(title: str) -> str:
    return " ".join(title.casefold().split())
