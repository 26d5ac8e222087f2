"""State machines: what a pipeline's definition says about its resource."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.infra.blocks import CannotUnite
from tools.infra.fragments import Fragment
from tools.infra.loops import Scope
from tools.validate_template.document import snake_case

_PLACEHOLDER = re.compile(r"\$\{(?P<state>\w+)FunctionArn\}")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A state machine that a fragment declares: `SuggestionStateMachine` is statemachines/suggestion.asl.yaml."""

    logical_id: str
    fragment: Fragment

    @property
    def title(self) -> str:
        return self.logical_id.removesuffix("StateMachine")

    @property
    def name(self) -> str:
        return snake_case(self.title)

    @property
    def states(self) -> list[str]:
        """The states that invoke a function, in the definition's order. Raises CannotUnite if it is missing."""
        folder = next(parent for parent in self.fragment.path.parents if parent.name == "infra").parent
        definition = folder / f"statemachines/{self.name}.asl.yaml"
        if not definition.is_file():
            raise CannotUnite(f"{self.fragment.shown}: {self.logical_id}: there is no statemachines/{definition.name}")
        return list(dict.fromkeys(match["state"] for match in _PLACEHOLDER.finditer(definition.read_text())))

    @property
    def scope(self) -> Scope:
        names = {"Pipeline": self.title, "pipeline": self.name}
        return Scope(names, {"state": [Scope({"State": state}) for state in self.states]})
