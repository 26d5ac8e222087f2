"""The whole template: fragments united, loops repeated, functions and state machines completed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tools.infra.blocks import CannotUnite, Entry, entries_of
from tools.infra.fragments import HEAD, KINDS, Fragment, read_fragments
from tools.infra.functions import FUNCTION, STATE_MACHINE, Function, Kinds, camel, complete
from tools.infra.loops import Scope, expanded
from tools.infra.pipelines import Pipeline
from tools.validate_template.function_rules import METRICS_OF_AN_ALARM

T = TypeVar("T")
WIDTH = 120
SECTIONS = ("Parameters", "Rules", "Conditions", "Globals", "Resources", "Outputs")
CONSUMERS = frozenset({"job_transitions", "job_ends"})
"""The kinds of functions that the stream of JobsTable invokes."""
WITH_QUEUE = frozenset({"queue"})
"""The kind of functions that have a queue."""
RESOURCE_KEYS = ("Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "Properties")


class Stack:
    """The fragments of one folder infra/."""

    def __init__(self, folder: Path) -> None:
        self.fragments = read_fragments(folder)
        self._kinds = Kinds(folder / f"{KINDS}.yaml")
        self._owners: dict[tuple[str, str], Fragment] = {}

    @cached_property
    def functions(self) -> list[Function]:
        """Every function, in the order of the fragments."""
        return [
            Function(logical_id, fragment, resource.get("Properties") or {})
            for fragment, logical_id, resource in self._of_type(FUNCTION)
        ]

    @cached_property
    def pipelines(self) -> list[Pipeline]:
        """Every state machine. Those of the core are no pipelines: no loop is over them."""
        return [Pipeline(logical_id, fragment) for fragment, logical_id, _ in self._of_type(STATE_MACHINE)]

    def text(self) -> str:
        """Return template.yaml.

        Raises:
            CannotUnite: a fragment breaks a rule; the message names it.
        """
        parts = ["\n".join(self.fragments[0].comment)]
        parts.append("\n".join(line for section in HEAD for line in self.fragments[0].sections[section].text))
        for section in SECTIONS:
            if section == "Globals":
                parts.append("\n".join(self.fragments[0].sections[section].text))
            elif united := list(self._united(section)):
                parts.append("\n".join((f"{section}:", *united)))
        return "\n\n".join(parts) + "\n"

    # ---- sections ------------------------------------------------------------------------------------------------

    def _united(self, section: str) -> Iterator[str]:
        begun = False
        for fragment in self.fragments:
            entries = self._entries(fragment, section)
            if section == "Resources" and entries:
                yield from (*([""] if begun else []), *_banner(fragment, described=fragment is not self.fragments[0]))
            for entry in entries:
                self._claim(fragment, section, entry.key)
                yield from (*([""] if section == "Resources" else []), *entry.text)
                begun = True

    def _claim(self, fragment: Fragment, section: str, key: str) -> None:
        """Raise CannotUnite if the name is another's: parameters and resources share one set of names."""
        names = "Resources" if section == "Parameters" else section
        if (names, key) in self._owners:
            raise CannotUnite(f"{fragment.shown}: {section}.{key} is in {self._owners[names, key].shown} already")
        self._owners[names, key] = fragment

    def _entries(self, fragment: Fragment, section: str) -> list[Entry]:
        if section not in fragment.sections:
            return []
        scope = self._scope
        try:
            entries = entries_of(list(expanded(fragment.sections[section].inside, scope)))
            return [self._completed(entry) for entry in entries] if section == "Resources" else entries
        except CannotUnite as error:
            raise CannotUnite(f"{fragment.shown}: {error}") from error

    def _completed(self, resource: Entry) -> Entry:
        for entry in resource.entries():
            if entry.key not in RESOURCE_KEYS:
                raise CannotUnite(f"{resource.key}.{entry.key} is no key of a resource ({', '.join(RESOURCE_KEYS)})")
        for function in self.functions:
            if function.logical_id == resource.key:
                return complete(resource, ["function", *function.kinds], function.scope, self._kinds, FUNCTION)
        for pipeline in self.pipelines:
            if pipeline.logical_id == resource.key:
                return complete(resource, ["pipeline"], pipeline.scope, self._kinds, STATE_MACHINE)
        return resource

    def _of_type(self, type_: str) -> Iterator[tuple[Fragment, str, Mapping[str, Any]]]:
        for fragment in self.fragments:
            for logical_id, resource in fragment.resources.items():
                if resource.get("Type") == type_:
                    yield fragment, logical_id, resource

    # ---- what loops are over -------------------------------------------------------------------------------------

    @cached_property
    def _scope(self) -> Scope:
        groups = {function.group: function.fragment for function in self.functions}
        consumers, with_queue = self._of_kinds(CONSUMERS), self._of_kinds(WITH_QUEUE)
        return Scope(
            sets={
                "alarm on consumers": _numbered(consumers),
                "alarm on queues": _numbered(with_queue),
                "function with a queue": with_queue,
                "group": [Scope({"Group": camel(group), "group": group}) for group in groups],
                "alarm on functions": self._alarms(stages=False),
                "alarm on stages": self._alarms(stages=True),
                "function with a route": [function.scope for function in self.functions if function.routes],
                "path": self._paths(),
                "pipeline": [each.scope for each in self.pipelines if each.fragment.of_an_application],
            }
        )

    def _of_kinds(self, kinds: frozenset[str]) -> list[Scope]:
        """Return the functions of one of these kinds."""
        return [each.scope for each in self.functions if kinds.intersection(each.kinds)]

    def _alarms(self, *, stages: bool) -> list[Scope]:
        """Return the functions of each group, as many to an alarm as it can refer to."""
        groups: dict[str, list[Function]] = {}
        for function in self.functions:
            if function.is_stage == stages:
                groups.setdefault(function.group, []).append(function)
        return [
            Scope(
                {"Alarm": f"{camel(group)}{number if number > 1 else ''}", "group": group},
                {"function": [function.scope for function in some]},
            )
            for group, functions in groups.items()
            for number, some in enumerate(_chunks(functions, METRICS_OF_AN_ALARM), start=1)
        ]

    def _paths(self) -> list[Scope]:
        methods: dict[str, dict[str, Scope]] = {}
        for function in self.functions:
            for route in function.routes:
                taken = methods.setdefault(route.path, {})
                if route.method in taken:
                    raise CannotUnite(
                        f"{function.fragment.shown}: {route.method} {route.path} of {function.logical_id} "
                        f"is a route of {taken[route.method].names['Function']} already"
                    )
                names = {
                    "method": route.method.lower(),
                    "authorizer": "NONE" if route.open else "Jwt",
                    "parameters": ", ".join(
                        f"{{ name: {each}, in: path, required: true }}" for each in route.parameters
                    ),
                }
                taken[route.method] = Scope(names).within(function.scope)
        return [Scope({"path": path}, {"method": list(each.values())}) for path, each in methods.items()]


def _chunks(members: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (members[place : place + size] for place in range(0, len(members), size))


def _numbered(functions: Sequence[Scope]) -> list[Scope]:
    """Return the functions, as many to an alarm as it can refer to."""
    return [
        Scope({"Number": str(number) if number > 1 else ""}, {"function": some})
        for number, some in enumerate(_chunks(functions, METRICS_OF_AN_ALARM), start=1)
    ]


def _banner(fragment: Fragment, *, described: bool) -> list[str]:
    title = f"  # ==== {fragment.name.replace('_', ' ').upper()} "
    return [title.ljust(WIDTH, "="), *(f"  {line}" for line in fragment.comment if described)]
