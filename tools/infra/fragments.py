"""Read the fragments in infra/: which files there are, their order, and what each declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from local.template.intrinsics import parse_yaml
from tools.infra.blocks import CannotUnite, Entry, entries_of

APPLICATIONS = "apps"
"""In ORDER this means infra/apps/*.yaml, sorted by name."""

ORDER = (
    "stack",
    "api",
    "users",
    "jobs",
    "stream",
    "channel",
    "agents",
    "webhooks",
    "deliveries",
    "erasure",
    "console",
    APPLICATIONS,
    "operations",
    "changes",
    "queues",
    "archive",
    "model",
    "data",
    "logs",
    "alarms",
    "dashboard",
)
"""The fragments in the order in which a reader of template.yaml meets them."""

KINDS = "kinds"
"""infra/kinds.yaml is no fragment: it has what functions of a kind have in common."""

UNITED = ("Parameters", "Rules", "Conditions", "Resources", "Outputs")
"""Sections that every fragment may have."""
HEAD = ("AWSTemplateFormatVersion", "Transform", "Description")
"""What the template begins with; only the first fragment has it, and Globals."""


@dataclass(frozen=True)
class Fragment:
    """One file of infra/; `comment` is what it begins with."""

    path: Path
    comment: tuple[str, ...]
    sections: Mapping[str, Entry]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def shown(self) -> str:
        """The path for messages: `infra/apps/ideation.yaml`."""
        parts = self.path.parts
        return "/".join(parts[parts.index("infra") :])

    @property
    def of_an_application(self) -> bool:
        return self.path.parent.name == APPLICATIONS

    @cached_property
    def resources(self) -> Mapping[str, Any]:
        """The resources as parsed YAML, loops unexpanded. Raises CannotUnite if they are not YAML."""
        if "Resources" not in self.sections:
            return {}
        try:
            parsed: Mapping[str, Any] = parse_yaml("\n".join(self.sections["Resources"].text))["Resources"]
        except yaml.YAMLError as error:
            raise CannotUnite(f"{self.shown}: Resources: {' '.join(str(error).split())}") from error
        return parsed


def read_fragments(folder: Path) -> list[Fragment]:
    """Read infra/ in ORDER.

    Raises:
        CannotUnite: a file is missing, is not in ORDER, or has a section that it may not have.
    """
    known = {f"{name}.yaml" for name in (*ORDER, KINDS)}
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in known:
            raise CannotUnite(f"infra/{path.name}: not in ORDER of tools/infra/fragments.py")
    return [_read(path, head=place == 0) for place, path in enumerate(_paths(folder))]


def _paths(folder: Path) -> Iterator[Path]:
    for name in ORDER:
        if name == APPLICATIONS:
            yield from sorted((folder / APPLICATIONS).glob("*.yaml"))
        else:
            yield folder / f"{name}.yaml"


def _read(path: Path, *, head: bool) -> Fragment:
    if not path.is_file():
        raise CannotUnite(f"infra/{path.name}: named in ORDER of tools/infra/fragments.py, and missing")
    lines = path.read_text().splitlines()
    intro = _introduction(lines)
    fragment = Fragment(path, tuple(lines[:intro]), {each.key: each for each in entries_of(lines[intro:])})
    allowed = (*HEAD, "Globals", *UNITED) if head else UNITED
    for section in fragment.sections:
        if section not in allowed:
            raise CannotUnite(f"{fragment.shown}: {section} is no section of a fragment ({', '.join(allowed)})")
    return fragment


def _introduction(lines: Sequence[str]) -> int:
    """Return how many lines the comment at the top has; a blank line ends it."""
    return next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
