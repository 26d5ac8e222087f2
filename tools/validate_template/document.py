"""The template for the checks: resources by type, with their intrinsic functions unresolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local.template.intrinsics import parse_yaml

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


def snake_case(name: str) -> str:
    """Return the name in snake_case: `CreateJob` → `create_job`."""
    return _WORD_START.sub("_", name).lower()


def nested_definitions(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the definitions inside a state: the iteration of a Map, or the branches of a Parallel."""
    inner = [*(state.get("Branches") or []), state.get("ItemProcessor"), state.get("Iterator")]
    return [each for each in inner if each]


def tasks_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the state of every Task, also of those inside other states, in the definition's order."""
    for name, state in (definition.get("States") or {}).items():
        if state.get("Type") == "Task":
            yield name, state
        for nested in nested_definitions(state):
            yield from tasks_of(nested)


@dataclass(frozen=True, slots=True)
class Resource:
    logical_id: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine; `definition` is None if the file that `DefinitionUri` names does not exist."""

    logical_id: str
    file: Path
    properties: Mapping[str, Any]
    definition: Mapping[str, Any] | None

    @property
    def substitutions(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.properties.get("DefinitionSubstitutions") or {}
        return given


class Document:
    """One template and the folder that it is in."""

    def __init__(self, folder: Path, content: Mapping[str, Any]) -> None:
        self.folder = folder
        self._content = content

    @classmethod
    def read(cls, template: Path) -> Document:
        return cls(template.parent, parse_yaml(template.read_text()))

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        return {
            logical_id: Resource(logical_id, body["Type"], body.get("Properties") or {})
            for logical_id, body in self._content["Resources"].items()
        }

    def of_type(self, kind: str) -> Iterator[Resource]:
        return (resource for resource in self.resources.values() if resource.type == kind)

    @property
    def functions(self) -> list[Resource]:
        return list(self.of_type("AWS::Serverless::Function"))

    @cached_property
    def state_machines(self) -> list[StateMachine]:
        machines = []
        for resource in self.of_type("AWS::Serverless::StateMachine"):
            file = self.folder / str(resource.properties.get("DefinitionUri", ""))
            definition = parse_yaml(file.read_text()) if file.is_file() else None
            machines.append(StateMachine(resource.logical_id, file, resource.properties, definition))
        return machines

    def environment(self, function: Resource) -> Mapping[str, Any]:
        """Return the function's variables, including those of Globals."""
        shared: Mapping[str, Any] = (self._content.get("Globals") or {}).get("Function") or {}
        return {**_variables(shared), **_variables(function.properties)}


def _variables(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    variables: Mapping[str, Any] = (properties.get("Environment") or {}).get("Variables") or {}
    return variables
