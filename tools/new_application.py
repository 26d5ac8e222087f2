"""Copy examples/haiku as a new application: `make application NAME=haiku STAGES=write_haiku`.

python -m tools.new_application haiku write_haiku        one stage; several are named in order

The example is one pipeline with one stage; what is about the stage is copied once for each stage.
docs/adding-an-application.md says what to write next.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.infra.blocks import CannotUnite
from tools.infra.functions import camel
from tools.infra.loops import item_of
from tools.infra.stack import Stack

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = "examples/haiku"
NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_NAMES: Final = re.compile(r"write_haiku|WriteHaiku|haiku|Haiku")
_BEGINS_A_STAGE: Final = re.compile(r"(class )?WriteHaiku\w*:")
"""The first line of a state, a function or a class that there is one of for each stage."""


class CannotAdd(Exception):
    """A name is not valid, or is taken."""


@dataclass(frozen=True, slots=True)
class NewApplication:
    """`name` and `stages` in snake_case; `root` is the repository's folder."""

    root: Path
    name: str
    stages: Sequence[str]

    def write(self) -> list[Path]:
        """Write the application's files and template.yaml, and return their paths.

        Raises:
            CannotAdd: a name is not valid or is taken; then nothing is written.
        """
        self._refuse_bad_names()
        example = self.root / EXAMPLE
        sources = sorted(path for path in example.rglob("*") if path.is_file() and path.parent != example)
        written = [path for source in sources for path in self._copies(source, str(source.relative_to(example)))]
        return [*written, self._write("template.yaml", Stack(self.root / "infra").text())]

    def _refuse_bad_names(self) -> None:
        if not NAME.fullmatch(self.name):
            raise CannotAdd(f"{self.name}: an application's name is snake_case")
        for stage in self.stages:
            if not STAGE_NAME.fullmatch(stage):
                raise CannotAdd(f"{stage}: a stage is a verb and a noun in snake_case, such as write_haiku")
            if list((self.root / "functions").rglob(f"{stage}/app.py")):
                raise CannotAdd(f"a function {stage} is there already")
        for taken in (f"shared/apps/{self.name}", f"functions/{self.name}", f"statemachines/{self.name}.asl.yaml"):
            if (self.root / taken).exists():
                raise CannotAdd(f"{taken} is there already")

    def _copies(self, source: Path, path: str) -> Iterator[Path]:
        text = source.read_text()
        if "write_haiku" in path:
            for stage in self.stages:
                yield self._write(self._renamed(path, stage), self._renamed(text, stage))
        else:
            yield self._write(self._renamed(path), self._with_every_stage(text))

    def _with_every_stage(self, text: str) -> str:
        """Repeat what is about the stage for each stage, and rename the rest."""
        names = ", ".join(f'"{stage}"' for stage in self.stages)
        text = text.replace('("write_haiku",)', f"({names}{',' if len(self.stages) == 1 else ''})")
        lines = text.split("\n")
        made: list[str] = []
        while lines:
            item = self._about_the_stage(lines)
            made += self._for_each_stage(item) if item else [self._renamed(lines[0])]
            lines = lines[len(item) or 1 :]
        return "\n".join(made)

    def _about_the_stage(self, lines: Sequence[str]) -> list[str]:
        """Return the lines about the stage that `lines` begin with: a table's row, an entry, a class; or none."""
        if lines[0].startswith("|") and "write_haiku" in lines[0]:
            return [lines[0]]
        if _BEGINS_A_STAGE.fullmatch(lines[0].strip()):
            return item_of(lines)
        return []

    def _for_each_stage(self, item: Sequence[str]) -> Iterator[str]:
        following = [*map(camel, self.stages[1:]), "CompleteJob"]
        for number, (stage, next_state) in enumerate(zip(self.stages, following, strict=True)):
            if number:
                yield from _gap_after(item)
            for line in item:
                yield self._renamed(line.replace("Next: CompleteJob", f"Next: {next_state}"), stage)

    def _renamed(self, text: str, stage: str | None = None) -> str:
        """Replace the example's names; of the stage by this one's, or by the first one's."""
        stage = stage or self.stages[0]
        names = {"write_haiku": stage, "WriteHaiku": camel(stage), "haiku": self.name, "Haiku": camel(self.name)}
        return _NAMES.sub(lambda match: names[match[0]], text)

    def _write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file


def _gap_after(item: Sequence[str]) -> list[str]:
    """Return the blank lines that separate two of these: none between rows, two between classes."""
    if item[0].startswith("|"):
        return []
    return ["", ""] if item[0].startswith("class") else [""]


def main(arguments: Iterable[str] | None = None) -> int:
    """Return the exit status: 0; 1 if a name is not valid or is taken, and then nothing is written."""
    parser = argparse.ArgumentParser(prog="python -m tools.new_application", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("stages", nargs="+", metavar="stage")
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        written = NewApplication(ROOT, options.name, options.stages).write()
    except (CannotAdd, CannotUnite) as error:
        print(error, file=sys.stderr)
        return 1
    for file in written:
        print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
