"""Copy examples/haiku as a new application, or install an example as it is.

python -m tools.new_application haiku write_haiku             one stage; several are named in order
python -m tools.new_application --from examples/research      this example, under its own names

examples/haiku is one pipeline with one stage; what is about the stage is copied once for each stage.
docs/adding-an-application.md says what to write next.
"""

from __future__ import annotations

import argparse
import re
import shutil
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
        written = [path for name in _files_of(example) for path in self._copies(example / name, name)]
        return [*written, _write_template(self.root)]

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


@dataclass(frozen=True, slots=True)
class Installation:
    """`example` is the folder of an example, whose files have the places that they get in the repository `root`."""

    root: Path
    example: Path

    def write(self) -> list[Path]:
        """Copy the example's files, write template.yaml, and return their paths.

        Raises:
            CannotAdd: the folder holds no application, or a file is there already; then nothing is written.
        """
        if not (self.example / "shared/apps").is_dir():
            raise CannotAdd(f"{self.example} is not an application: it has no folder shared/apps")
        names = _files_of(self.example)
        for name in names:
            if (self.root / name).exists():
                raise CannotAdd(f"{name} is there already")
        for name in names:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.example / name, self.root / name)
        return [*(self.root / name for name in names), _write_template(self.root)]


def _files_of(example: Path) -> list[str]:
    """Return the paths of the example's files in it, without those that tell of the example, such as its README."""
    files = (path for path in example.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(str(path.relative_to(example)) for path in files if path.parent != example)


def _write_template(root: Path) -> Path:
    file = root / "template.yaml"
    file.write_text(Stack(root / "infra").text())
    return file


def _gap_after(item: Sequence[str]) -> list[str]:
    """Return the blank lines that separate two of these: none between rows, two between classes."""
    if item[0].startswith("|"):
        return []
    return ["", ""] if item[0].startswith("class") else [""]


def main(arguments: Iterable[str] | None = None) -> int:
    """Return the exit status: 0; 1 if a name is not valid or is taken, and then nothing is written."""
    options = _options(arguments)
    try:
        new = (
            NewApplication(ROOT, options.name, options.stages)
            if options.example is None
            else Installation(ROOT, options.example)
        )
        written = new.write()
    except (CannotAdd, CannotUnite) as error:
        print(error, file=sys.stderr)
        return 1
    for file in written:
        print(file.relative_to(ROOT))
    return 0


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.new_application", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", nargs="?")
    parser.add_argument("stages", nargs="*", metavar="stage")
    parser.add_argument("--from", type=Path, dest="example", metavar="EXAMPLE", help="the folder of an example")
    options = parser.parse_args(None if arguments is None else list(arguments))
    if options.example is not None and options.name is not None:
        parser.error("an example is installed under its own names; leave NAME and STAGES out")
    if options.example is None and not options.stages:
        parser.error("name the application and its stages: make application NAME=haiku STAGES=write_haiku")
    return options


if __name__ == "__main__":
    sys.exit(main())
