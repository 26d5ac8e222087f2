"""Find pipelines by name, and import only the application whose pipeline is requested.

Every package in `shared/apps/` names its pipelines in its `__init__.py`, as `PIPELINES`, and defines each in its
`pipeline.py`. If jobs can be linked to its entities, it names these links there too, such as `LINKS = ("sessionId",)`,
and its `bootstrap.py` has the function `linked_entities`. If it has topics in the channel, it names their
kinds there, such as `TOPICS = ("session",)`, and its `bootstrap.py` has the function `topic_sources`. If it stores
something of owners, its `bootstrap.py` has the function `owner_data`. So a new application changes nothing here.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from shared import apps
from shared.jobs.pipeline import Pipeline

if TYPE_CHECKING:
    from shared.channel.topics import TopicSource
    from shared.erasure.owner_data import OwnerData


def application_names() -> tuple[str, ...]:
    """Return the names of the packages in `shared/apps/`, sorted."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(apps.__path__) if found.ispkg))


def topic_kinds() -> tuple[str, ...]:
    """Return the kinds of topics that the applications name in their `TOPICS`."""
    return tuple(kind for each in application_names() for kind in getattr(_package(each), "TOPICS", ()))


def topic_source(kind: str) -> TopicSource:
    """Return the source of this kind among those that its application's `topic_sources()` returns.

    Raises LookupError if no application names the kind, or if its application has no source of that kind.
    """
    for application in application_names():
        if kind in getattr(_package(application), "TOPICS", ()):
            sources: Sequence[TopicSource] = declared(application, "topic_sources")()
            found = next((each for each in sources if each.kind == kind), None)
            if found is not None:
                return found
    raise LookupError(f"an application that names the topic kind {kind} must have its source in topic_sources()")


def owner_data() -> tuple[OwnerData, ...]:
    """Return what each application returns from `owner_data()` in its `bootstrap.py`, if it has that function."""
    found: list[OwnerData] = []
    for application in application_names():
        declare = getattr(application_module(application, "bootstrap"), "owner_data", None)
        found += declare() if declare is not None else ()
    return tuple(found)


def application_module(application: str, module: str) -> ModuleType | None:
    """Import one module of an application; return None if the application has no such module."""
    name = f"{apps.__name__}.{application}.{module}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return None


def declared(application: str, name: str) -> Callable[..., Any]:
    """Return the function of this name in the application's `bootstrap.py`. Raises AttributeError if there is none."""
    found: Callable[..., Any] = getattr(application_module(application, "bootstrap"), name)
    return found


class RegisteredPipelines(Mapping[str, Pipeline]):
    """The pipelines of all applications by name, sorted. To read one imports its application only."""

    def __init__(self) -> None:
        self._applications = dict(sorted(_applications_by_pipeline()))

    def declared_for(self, pipeline: str, name: str) -> Callable[[], Any] | None:
        """Return the function of this name in the `bootstrap.py` of the pipeline's application.

        Return None if the application has no such function, or if no application has the pipeline.
        """
        application = self._applications.get(pipeline)
        return None if application is None else getattr(application_module(application, "bootstrap"), name, None)

    def applications_with(self, link: str, pipeline: str) -> Sequence[str]:
        """Return the applications that name this link in their `LINKS`, the pipeline's own application first."""
        own = self._applications.get(pipeline)
        found = (each for each in application_names() if link in getattr(_package(each), "LINKS", ()))
        return sorted(found, key=lambda each: (each != own, each))

    def __getitem__(self, name: str) -> Pipeline:
        return _pipeline(self._applications[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._applications)

    def __len__(self) -> int:
        return len(self._applications)


def _applications_by_pipeline() -> Iterator[tuple[str, str]]:
    for application in application_names():
        pipelines: tuple[str, ...] = _package(application).PIPELINES
        for pipeline in pipelines:
            yield pipeline, application


def _package(application: str) -> ModuleType:
    return importlib.import_module(f"{apps.__name__}.{application}")


@functools.cache
def _pipeline(application: str, name: str) -> Pipeline:
    """Return the pipeline.

    Raises LookupError if the application declares the pipeline but does not define it in its `pipeline.py`.
    """
    module = application_module(application, "pipeline")
    found = [each for each in vars(module).values() if isinstance(each, Pipeline) and each.name == name]
    if len(found) != 1:
        raise LookupError(f"{apps.__name__}.{application}.pipeline must define one Pipeline with the name {name}")
    return found[0]
