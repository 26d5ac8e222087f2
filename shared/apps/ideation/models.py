"""Define the input and the result of a brainstorming job."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.jobs.pipeline import JobInput
from shared.schema import Schema

SUM_TOLERANCE = 0.01
"""By how much the sum of any proportions may differ from 100; rounded proportions may differ by more."""

DECIMALS = 6
"""Decimals to which proportions are rounded: more than any use needs, and few enough to be stored exactly."""

Genre = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
# A list and not a tuple: for a tuple with an item that is not valid, pydantic also reports that it is too short.
GenrePath = Annotated[list[Genre], Field(min_length=1, max_length=6)]
Proportion = Annotated[
    float,
    Field(strict=True, ge=0, le=100, allow_inf_nan=False),
    AfterValidator(lambda value: round(value, DECIMALS)),
]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


def path_name(path: Sequence[str]) -> str:
    """Return a genre path as text, such as `Fiction > Mystery > Cozy`."""
    return " > ".join(path)


class Arrangement(StrEnum):
    """How the ideas are arranged at the end."""

    NONE = "none"
    RANK = "rank"
    GROUP = "group"


class IdeationInput(JobInput):
    """The input of a brainstorming job: what to invent ideas for."""

    platform: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        description="what the ideas are for, such as `mobile game` or `podcast series`"
    )
    genre_paths: Annotated[list[GenrePath], Field(min_length=1, max_length=20)] = Field(
        description="each path from the widest genre to the narrowest, such as `Fiction`, `Mystery`, `Cozy`"
    )
    genre_proportions: list[Proportion] = Field(
        description="the percentage of ideas for each genre path, in the same order; the sum must be 100, "
        "give or take half a unit of the last decimal for each"
    )
    requirements: str | None = Field(default=None, max_length=2000)
    requested_at: AwareDatetime | None = Field(
        default=None, description="when the ideas were requested; by default, when the job is created"
    )
    idea_count: int = Field(default=10, strict=True, ge=1, le=50)
    arrangement: Arrangement = Field(
        default=Arrangement.NONE, description="whether the ideas are ranked or grouped at the end"
    )

    @field_validator("genre_paths")
    @classmethod
    def _no_path_twice(cls, paths: list[GenrePath]) -> list[GenrePath]:
        known: set[tuple[str, ...]] = set()
        for path in paths:
            folded = tuple(genre.casefold() for genre in path)
            if folded in known:
                raise _broken(f"must contain each path once; `{path_name(path)}` is repeated")
            known.add(folded)
        return paths

    @field_validator("genre_proportions")
    @classmethod
    def _one_per_path(cls, proportions: list[Proportion], info: ValidationInfo) -> list[Proportion]:
        paths = info.data.get("genre_paths")
        if paths is None or len(paths) == len(proportions):
            return proportions
        rule = (
            "must have one entry per genre path; "
            f"there are {_counted(len(paths), 'path')} and {_counted(len(proportions), 'proportion')}"
        )
        without = [f"`{path_name(path)}`" for path in paths[len(proportions) :]]
        if without:
            rule += f"; {', '.join(without)} {'has' if len(without) == 1 else 'have'} none"
        raise _broken(rule)

    @field_validator("genre_proportions")
    @classmethod
    def _100_in_all(cls, proportions: list[Proportion]) -> list[Proportion]:
        total = round(math.fsum(proportions), DECIMALS)
        if round(abs(total - 100), DECIMALS) > sum_tolerance(proportions):
            raise _broken(
                f"must sum to 100; {' + '.join(f'{each:.9g}' for each in proportions) or 'nothing'} is {total:.9g}"
            )
        return proportions


def sum_tolerance(proportions: Sequence[float]) -> float:
    """Return by how much the sum may differ from 100: for each proportion half a unit of the last decimal that is used.

    A sixth is written as 16.67, 16.7 or 17, so six of them are 100.02, 100.2 or 102. One or two whole numbers have to
    be exactly 100: two could be 99 or 101 only if both were wrong by the whole half.
    """
    decimals = max((-_exponent(each) for each in proportions), default=0)
    rounding = len(proportions) * 0.5 * 10**-decimals if decimals > 0 else (len(proportions) - 1) // 2
    return max(SUM_TOLERANCE, round(rounding, DECIMALS))


def _exponent(number: float) -> int:
    return int(Decimal(repr(number)).normalize().as_tuple().exponent)


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class Draft(Schema):
    """An idea as the model writes it."""

    title: Title
    logline: Sentence = Field(description="the idea in one sentence")
    description: Prose = Field(description="what it is, for whom, and what makes it work")


class Idea(Draft):
    """One idea; `number` counts from 1, in the order in which the ideas were written."""

    number: int = Field(ge=1)
    genre_path: GenrePath


class GenreShare(Schema):
    """How many ideas of one genre path were planned, and how many were found."""

    genre_path: GenrePath
    proportion: Proportion
    planned: int = Field(ge=0)
    found: int = Field(ge=0)


class Ranked(Schema):
    """An idea's place in the ranking."""

    number: int = Field(ge=1)
    reason: Sentence


class Group(Schema):
    """Ideas that belong together."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    reason: Sentence
    numbers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class Ranking(Schema):
    """All ideas, best first."""

    ranking: tuple[Ranked, ...]

    def misfit(self, count: int) -> str | None:
        """Return why this is not a ranking of the ideas 1 to `count`; None if it is one."""
        return _not_each_once([each.number for each in self.ranking], count)


class Groups(Schema):
    """All ideas, each in one group."""

    groups: tuple[Group, ...]

    @staticmethod
    def bounds(count: int) -> tuple[int, int]:
        """Return the least and the greatest number of groups for `count` ideas."""
        return min(2, count), min(6, count)

    def misfit(self, count: int) -> str | None:
        """Return why these are not groups of the ideas 1 to `count`; None if they are."""
        fewest, most = self.bounds(count)
        if not fewest <= len(self.groups) <= most:
            return f"there are {_counted(len(self.groups), 'group')} instead of {fewest} to {most}"
        return _not_each_once([number for each in self.groups for number in each.numbers], count)


def _not_each_once(numbers: Sequence[int], count: int) -> str | None:
    times = Counter(numbers)
    known = range(1, count + 1)
    issues = {
        "missing": [number for number in known if not times[number]],
        "named more than once": [number for number in known if times[number] > 1],
        "unknown": sorted(times.keys() - set(known)),
    }
    found = [f"{what}: {', '.join(map(str, those))}" for what, those in issues.items() if those]
    return f"every idea has to be named once; {'; '.join(found)}" if found else None


class Ideation(Schema):
    """The result of a brainstorming job. `ranking`, the best idea first, and `groups` are null unless requested."""

    ideas: tuple[Idea, ...]
    genres: tuple[GenreShare, ...]
    ranking: tuple[Ranked, ...] | None = None
    groups: tuple[Group, ...] | None = None
