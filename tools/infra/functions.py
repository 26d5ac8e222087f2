"""Complete a function or a state machine: what its kinds have in common with others, its names, its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.template.intrinsics import parse_yaml
from tools.infra.blocks import CannotUnite, Entry, entries_of, indent_of, is_comment, shifted
from tools.infra.fragments import Fragment
from tools.infra.loops import Scope, expanded
from tools.validate_template.document import snake_case

FUNCTION = "AWS::Serverless::Function"
STATE_MACHINE = "AWS::Serverless::StateMachine"

WRITTEN = {
    FUNCTION: (
        *("FunctionName", "Description", "CodeUri", "LoggingConfig"),
        *("AutoPublishAlias", "VersionDeletionPolicy", "SnapStart"),
    ),
    STATE_MACHINE: ("Name", "DefinitionUri", "DefinitionSubstitutions"),
}
"""Properties that come from kinds only, because they follow from the resource's name or from each other."""

PROPERTIES = {
    FUNCTION: (
        *("FunctionName", "Description", "CodeUri", "Handler", "Timeout", "MemorySize", "EphemeralStorage"),
        *("ReservedConcurrentExecutions", "AutoPublishAlias", "VersionDeletionPolicy", "SnapStart", "LoggingConfig"),
        *("Layers", "FunctionUrlConfig", "Environment", "Policies", "Events", "EventInvokeConfig"),
    ),
    STATE_MACHINE: (*("Type", "Name", "DefinitionUri", "DefinitionSubstitutions", "Tracing", "Logging", "Policies"),),
}
"""The properties a fragment and its kinds may write, in the order in which template.yaml has them."""

OURS = ("Kinds", "Routes", "OpenRoutes")
"""What a fragment writes beside SAM's properties; none of it reaches template.yaml."""

_PARAMETER = re.compile(r"\{([^}]+)\}")
_ROUTE = re.compile(r"(?P<method>GET|POST|PUT|PATCH|DELETE) (?P<path>/\S*)")


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the HTTP API; `open` means that it takes no token."""

    method: str
    path: str
    open: bool

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters: `runId` of `/ideations/{runId}`."""
        return _PARAMETER.findall(self.path)


@dataclass(frozen=True)
class Function:
    """A function that a fragment declares; `group` is the fragment's name."""

    logical_id: str
    fragment: Fragment
    properties: Mapping[str, Any]

    @property
    def state(self) -> str:
        """The name without `Function`: `CreateJob`."""
        return self.logical_id.removesuffix("Function")

    @property
    def name(self) -> str:
        return snake_case(self.state)

    @property
    def group(self) -> str:
        return self.fragment.name

    @property
    def code(self) -> str:
        """The folder of its code. A group of one function that bears its name has no folder in between."""
        return f"functions/{self.name}/" if self.name == self.group else f"functions/{self.group}/{self.name}/"

    @property
    def routes(self) -> list[Route]:
        return [
            self._route(str(text), is_open=key == "OpenRoutes")
            for key in ("Routes", "OpenRoutes")
            for text in self.properties.get(key, [])
        ]

    def _route(self, text: str, *, is_open: bool) -> Route:
        match = _ROUTE.fullmatch(text)
        if match is None:
            raise CannotUnite(f"{self.fragment.shown}: {self.logical_id}: {text!r} is not METHOD /path")
        return Route(match["method"], match["path"], is_open)

    @property
    def kinds(self) -> list[str]:
        return [*(["endpoint"] if self.routes else []), *self.properties.get("Kinds", [])]

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage of a pipeline: nothing but the application's state machine invokes it."""
        invoked = self.properties.keys() & {"Routes", "OpenRoutes", "Events", "FunctionUrlConfig"}
        return self.fragment.of_an_application and not invoked

    @property
    def qualifier(self) -> str:
        """What follows its ARN where it is invoked: its alias, if it publishes versions."""
        return ":live" if "snapshot" in self.kinds else ""

    @property
    def visibility(self) -> int:
        """How many seconds a message that it has received is hidden, if it has a queue: as long as Lambda may take.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        """
        return 6 * int(self.properties.get("Timeout", 0))

    @property
    def scope(self) -> Scope:
        return Scope(
            {
                "Function": self.logical_id,
                "State": self.state,
                "function": self.name,
                "Group": camel(self.group),
                "code": self.code,
                "qualifier": self.qualifier,
                "visibility": str(self.visibility),
                "routes": ", ".join(f"{route.method} {route.path}" for route in self.routes),
            }
        )


def camel(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


class Kinds:
    """infra/kinds.yaml: kind → the properties that everything of this kind has.

    Its comments come with the first use of a kind: a reader of template.yaml needs them once.
    """

    def __init__(self, path: Path) -> None:
        self._kinds = {each.key: each for each in entries_of(path.read_text().splitlines())}
        self._explained: set[str] = set()

    def with_theirs(self, kinds: Iterable[str]) -> list[str]:
        """Return the kinds, each after the kinds that it has itself, and none twice.

        Raises CannotUnite for a kind that is not there.
        """
        found: dict[str, None] = {}
        for kind in kinds:
            if kind not in self._kinds:
                raise CannotUnite(f"{kind} is no kind of infra/kinds.yaml ({', '.join(self._kinds)})")
            own = parse_yaml("\n".join(self._kinds[kind].text))[kind] or {}
            found |= dict.fromkeys([*self.with_theirs(own.get("Kinds", [])), kind])
        return [*found]

    def properties(self, kind: str, scope: Scope) -> list[Entry]:
        """Return the properties of one of the kinds for one resource, without those of the kinds that it has."""
        lines = list(expanded(self._kinds[kind].inside, scope))
        if kind in self._explained:
            lines = [line for line in lines if not is_comment(line)]
        self._explained.add(kind)
        return [each for each in entries_of(lines) if each.key != "Kinds"]


def complete(resource: Entry, kinds: Sequence[str], scope: Scope, known: Kinds, type_: str) -> Entry:
    """Return the resource with the properties of its kinds before its own.

    A property that several have: environment variables and policy statements add up, anything else is the last one's.

    Raises:
        CannotUnite: the resource writes a property that it may not write.
    """
    parts = {each.key: each for each in resource.entries()}
    own = entries_of(parts["Properties"].inside) if "Properties" in parts else []
    for entry in own:
        if entry.key in WRITTEN[type_]:
            raise CannotUnite(f"{resource.key}.{entry.key} comes from infra/kinds.yaml: do not write it")
        if entry.key == "Events" and any(line.strip() == "Type: HttpApi" for line in entry.lines):
            raise CannotUnite(f"{resource.key}: write Routes, not an event of the HTTP API")
        if entry.key not in (*PROPERTIES[type_], *OURS):
            raise CannotUnite(f"{resource.key}.{entry.key} is not in PROPERTIES of tools/infra/functions.py")
    merged: dict[str, Entry] = {}
    of_kinds = (each for kind in known.with_theirs(kinds) for each in known.properties(kind, scope))
    for entry in (*of_kinds, *own):
        written = entry.at(6)
        merged[entry.key] = _merged(merged[entry.key], written) if entry.key in merged else written
    ordered = [merged[key] for key in PROPERTIES[type_] if key in merged]
    properties = Entry("Properties", (), ("    Properties:", *(line for each in ordered for line in each.text)))
    rest = [each for each in resource.entries() if each.key != "Properties"]
    return resource.holding(line for each in (*rest, properties) for line in each.text)


def _merged(earlier: Entry, later: Entry) -> Entry:
    if earlier.key == "Environment":
        return earlier.holding(_variables(earlier, later))
    if earlier.key == "Policies":
        return earlier.holding((*earlier.inside, *_statements(later)))
    return later


def _variables(earlier: Entry, later: Entry) -> Iterable[str]:
    variables = {each.key: each for entry in (earlier, later) for each in entry.entries()[0].entries()}
    return ["        Variables:", *(line for each in variables.values() for line in each.at(10).text)]


def _statements(policies: Entry) -> Sequence[str]:
    """Return the statements of `Policies: [{Version, Statement: […]}]`, which is the only form that we write."""
    lines = policies.inside
    start = next((place for place, line in enumerate(lines) if line.strip() == "Statement:"), None)
    if start is None:
        raise CannotUnite("Policies is written as one policy with Version and Statement")
    statements = lines[start + 1 :]
    step = 12 - min(indent_of(line) for line in statements if line.strip())
    return [*shifted(policies.comment, 12 - indent_of(policies.lines[0])), *shifted(statements, step)]
