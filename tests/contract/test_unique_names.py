"""The core and the applications choose different names for operations, entities, events, pipelines and stored keys."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from shared.apps.registry import RegisteredPipelines, application_module, application_names, topic_kinds
from shared.log.events import type_of
from shared.web import envelope

ROOT = Path(__file__).parents[2]
KEY_PREFIX = re.compile(r"([A-Z]+)#")
"""How a stored key begins: the kind of the item, before its id."""


def repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


@pytest.mark.parametrize("enum", ["Operation", "Entity"])
@pytest.mark.parametrize("module", ["operations", "web"])
def test_an_operation_or_entity_has_one_owner(enum: str, module: str) -> None:
    modules = [envelope, *(application_module(name, module) for name in application_names())]
    enums = {getattr(each, enum) for each in modules if hasattr(each, enum)}
    assert not repeated(member.value for each in enums for member in each)


def test_an_event_type_has_one_owner() -> None:
    events = {event for pipeline in RegisteredPipelines().values() for event in pipeline.events}
    assert not repeated(type_of(event) for event in events)


def test_a_pipeline_and_a_stage_have_one_owner() -> None:
    pipelines = RegisteredPipelines().values()
    assert not repeated(pipeline.name for pipeline in pipelines)
    assert not repeated(stage for pipeline in pipelines for stage in pipeline.stages)


def test_a_kind_of_topic_has_one_owner() -> None:
    kinds = ("job", *topic_kinds())
    assert not repeated(kinds)
    assert all(":" not in kind for kind in kinds)


def test_a_key_prefix_has_one_owner() -> None:
    owners = {"core": set(_prefixes(ROOT / "shared" / "storage"))}
    for name in application_names():
        owners[name] = set(_prefixes(ROOT / "shared" / "apps" / name))
    assert {"JOB", "RUN", "AGENT", "USER"} <= owners["core"]
    assert not repeated(prefix for prefixes in owners.values() for prefix in prefixes)


def _prefixes(folder: Path) -> Iterator[str]:
    """Yield the prefix of every text in the folder's code that begins as a stored key does."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = KEY_PREFIX.match(node.value)
                if found is not None:
                    yield found[1]
