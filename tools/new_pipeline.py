"""Writes what a new pipeline needs outside its own package, after the model of what `suggestion` has there.

python -m tools.new_pipeline haiku write_haiku        one stage; several are named in order

docs/adding-a-pipeline.md says what is left to write: the package itself, and its tests.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.infra.stack import Stack

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
STAGE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")

FUNCTION = '''\
"""State {state} of the {pipeline} pipeline."""

from typing import Any

from shared.bootstrap import chat_model, run_stage
from shared.apps.{pipeline}.stages import {state}
from shared.runtime.invocation import observed
from shared.jobs.invocation import StageInvocation


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    invocation = StageInvocation.model_validate(event)
    done = run_stage({state}(chat_model()), invocation)
    return done.model_dump()
'''


FRAGMENT = """\
# The pipeline `{name}`.

Resources:
  {title}StateMachine:
    Type: AWS::Serverless::StateMachine
{stages}
Outputs:
  {title}StateMachineArn:
    Description: The pipeline {name}.
    Value: !Ref {title}StateMachine
"""
STAGE = """
  {state}Function:
    Type: AWS::Serverless::Function
    Properties:
      Kinds: [model_stage]
"""


class CannotAdd(Exception):
    """The names do not do, or are taken."""


@dataclass(frozen=True, slots=True)
class NewPipeline:
    """`name` and `stages` in snake_case; `root` is the repository's folder."""

    root: Path
    name: str
    stages: Sequence[str]

    def write(self) -> list[Path]:
        """Answers the files written or changed. Raises CannotAdd, and has then written none."""
        self._refuse_bad_names()
        return [
            self._write(f"statemachines/{self.name}.asl.yaml", self._state_machine()),
            self._write(f"infra/apps/{self.name}.yaml", self._fragment()),
            self._write("template.yaml", Stack(self.root / "infra").text()),
            *(self._function(stage) for stage in self.stages),
            *(self._event(stage, case) for stage in self.stages for case in ("first_attempt", "retry")),
        ]

    def _refuse_bad_names(self) -> None:
        if not NAME.fullmatch(self.name):
            raise CannotAdd(f"{self.name}: a pipeline's name is snake_case")
        for stage in self.stages:
            if not STAGE_NAME.fullmatch(stage):
                raise CannotAdd(f"{stage}: a stage is a verb and a noun in snake_case, such as write_haiku")
            if list((self.root / "functions").rglob(f"{stage}/app.py")):
                raise CannotAdd(f"a function {stage} is there already")
        if (self.root / f"statemachines/{self.name}.asl.yaml").exists():
            raise CannotAdd(f"statemachines/{self.name}.asl.yaml is there already")

    # ---- the state machine ---------------------------------------------------------------------------------------

    def _state_machine(self) -> str:
        model = self._read("statemachines/suggestion.asl.yaml")
        model = model[model.index("StartAt:") :].replace("StartAt: GenerateSuggestions", f"StartAt: {self._states[0]}")
        first, second = _block(model, "GenerateSuggestions"), _block(model, "ValidateSuggestions")
        following = [*self._states[1:], "CompleteJob"]
        states = (
            first.replace("Next: ValidateSuggestions", f"Next: {after}").replace("GenerateSuggestions", state)
            for state, after in zip(self._states, following, strict=True)
        )
        machine = model.replace(first + second, "".join(states))
        return f"# Only the job's id travels; prompts and outputs stay in DynamoDB.\nComment: {self._title}\n{machine}"

    # ---- the template --------------------------------------------------------------------------------------------

    def _fragment(self) -> str:
        stages = "".join(STAGE.format(state=state) for state in self._states)
        return FRAGMENT.format(title=self._title, name=self.name, stages=stages)

    # ---- the rest ------------------------------------------------------------------------------------------------

    def _function(self, stage: str) -> Path:
        return self._write(
            f"functions/{self.name}/{stage}/app.py", FUNCTION.format(state=_camel(stage), pipeline=self.name)
        )

    def _event(self, stage: str, case: str) -> Path:
        event = self.root / f"events/{self.name}/{stage}.{case}.json"
        event.parent.mkdir(exist_ok=True)
        shutil.copyfile(self.root / f"events/suggestions/generate_suggestions.{case}.json", event)
        return event

    @property
    def _states(self) -> list[str]:
        return [_camel(stage) for stage in self.stages]

    @property
    def _title(self) -> str:
        return _camel(self.name)

    def _read(self, path: str) -> str:
        return (self.root / path).read_text()

    def _write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file


def _camel(name: str) -> str:
    return "".join(word.title() for word in name.split("_"))


def _block(text: str, name: str) -> str:
    """The resource, state or output of that name, with the blank line after it if there is one."""
    found = re.search(rf"^  {name}:\n(?:(?:   .*)?\n)+?(?=^  \S|^\S|\Z)", text, re.MULTILINE)
    if found is None:
        raise CannotAdd(f"there is no {name} to go by")
    return found[0]


def main(arguments: Iterable[str] | None = None) -> int:
    """`python -m tools.new_pipeline <name> <stage>…`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.new_pipeline", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("stages", nargs="+", metavar="stage")
    options = parser.parse_args(None if arguments is None else list(arguments))
    root = Path(__file__).resolve().parent.parent
    try:
        written = NewPipeline(root, options.name, options.stages).write()
    except CannotAdd as error:
        print(error, file=sys.stderr)
        return 1
    for file in written:
        print(file.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
