"""The labelled cases: a project, what came before, one message, and what a sensible person would want to happen."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field

from shared.schema import Schema

FOLDER: Final = Path(__file__).parent
SETS: Final = ("dev", "heldout")


class SceneFixture(Schema):
    """A scene of a fixture."""

    name: str
    props: dict[str, Any]


class Fixture(Schema):
    """A project of the cases."""

    title: str
    scenes: tuple[SceneFixture, ...]


class Case(Schema):
    """One case. Scenes are named by their positions, from 1; GUIDE.md says how cases are labelled."""

    id: str
    project: str
    text: str
    tool: str
    also: tuple[str, ...] = ()
    targets: tuple[int, ...] = ()
    refs: tuple[int, ...] = ()
    args: dict[str, Any] = Field(default_factory=dict)
    attached: tuple[int, ...] = ()
    selected: int | None = None
    last: tuple[int, ...] = ()
    images: int = 0
    lang: str = "en"
    hard: bool = False


def cases(which: Literal["dev", "heldout", "all"] = "all") -> list[Case]:
    """Return the cases of a set."""
    names = SETS if which == "all" else (which,)
    return [Case.model_validate(each) for name in names for each in _read(name)]


@functools.cache
def fixtures() -> dict[str, Fixture]:
    """Return the projects by name."""
    return {name: Fixture.model_validate(each) for name, each in _read("fixtures").items()}


def second_labels() -> dict[str, str]:
    """Return the labels of the second pass by case."""
    differing: dict[str, str] = _read("second")
    return {case.id: differing.get(case.id, case.tool) for case in cases()}


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
