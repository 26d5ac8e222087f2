"""What the processes of one stack share: the template, and the values that resolve it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from local.template.template import Function, Template


@dataclass(frozen=True)
class Deployment:
    """The parent writes it to a file, and its children read it. `environment` overrides variables of functions.

    `origins`: the origins whose pages may call the API and the stream. `allowance`: how many times longer than the
    template's time limits functions, executions and the gateway may take, and functions on threads wait for AWS.
    `schedules`: whether functions are invoked on their schedules.
    """

    template_file: str
    aws_url: str
    api_url: str
    log_directory: str
    mode: str = "threads"
    origins: Sequence[str] = ()
    allowance: int = 1
    parameters: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    scripted_model: bool = False
    schedules: bool = True

    @cached_property
    def template(self) -> Template:
        return Template(Path(self.template_file), parameters=self.parameters, attributes=self.attributes)

    @property
    def root(self) -> Path:
        """The folder that contains `shared` and `functions`."""
        return Path(self.template_file).parent

    @property
    def functions(self) -> list[Function]:
        """Return the functions with the time limits of this stack."""
        return [replace(each, timeout=each.timeout * self.allowance) for each in self.template.functions]

    def variables(self, function: Function) -> dict[str, str]:
        """Return the function's variables, with the overrides of this stack."""
        overrides = {
            "SCRIPTED_MODEL": str(self.scripted_model).lower(),
            "ENGINE_TIME_FACTOR": str(self.allowance),
            "WEBHOOK_LOOPBACK": "true",
            **self.environment,
        }
        return {name: overrides.get(name, value) for name, value in function.environment.items()}

    def refuse_unknown_overrides(self) -> None:
        """Raise ValueError for an override of a variable that no function has, because its name may be misspelt."""
        known = {name for function in self.template.functions for name in function.environment}
        unknown = sorted(set(self.environment) - known)
        if unknown:
            raise ValueError(f"no function of the template has the variable {', '.join(unknown)}; check the spelling")

    def save(self, path: Path) -> None:
        """Write it to a file, for `load`."""
        path.write_text(json.dumps({item.name: getattr(self, item.name) for item in dataclasses.fields(self)}))

    @staticmethod
    def load(path: Path) -> Deployment:
        return Deployment(**json.loads(path.read_text()))
