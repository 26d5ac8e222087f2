"""One run of the stack as its processes see it: the template and the values it is resolved against."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from local.template.template import Function, Template


@dataclass(frozen=True)
class Deployment:
    """Written to a file by the parent and read by its children; `environment` overrides function variables."""

    template_file: str
    aws_url: str
    api_url: str
    log_directory: str
    mode: str = "threads"
    parameters: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def template(self) -> Template:
        return Template(Path(self.template_file), parameters=self.parameters, attributes=self.attributes)

    @property
    def root(self) -> Path:
        """Where `shared` and `functions` are importable from."""
        return Path(self.template_file).parent

    def variables(self, function: Function) -> dict[str, str]:
        """The function's own environment, with those of its variables overridden that this run overrides."""
        return {name: self.environment.get(name, value) for name, value in function.environment.items()}

    def refuse_unknown_overrides(self) -> None:
        """ValueError for an override that no function would see: a misspelt name must not pass in silence."""
        known = {name for function in self.template.functions for name in function.environment}
        unknown = sorted(set(self.environment) - known)
        if unknown:
            raise ValueError(f"no function of the template has the variable {', '.join(unknown)}")

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({item.name: getattr(self, item.name) for item in dataclasses.fields(self)}))

    @staticmethod
    def load(path: Path) -> Deployment:
        return Deployment(**json.loads(path.read_text()))
