"""The template as CloudFormation is given it: what SAM makes of it, without asking AWS."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.validate_template.sam_environment import run

_TRANSLATE = Path(__file__).with_name("translate.py")


@dataclass(frozen=True, slots=True)
class Translation:
    """`text` is JSON; None, with SAM's `objections`, if it cannot translate the template."""

    text: str | None
    objections: tuple[str, ...] = ()

    def resources(self) -> Counter[str]:
        """Return how many resources there are of each type."""
        resources = {} if self.text is None else json.loads(self.text)["Resources"]
        return Counter(resource["Type"] for resource in resources.values())


@functools.cache
def translate(template: Path) -> Translation:
    """Translate once for all the checks that look at the result."""
    with TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        finished = run("python", str(_TRANSLATE), str(template), str(translated))
        if translated.exists():
            return Translation(translated.read_text())
        said = finished.stdout if finished.stdout.strip() else finished.stderr
        return Translation(None, tuple(said.strip().splitlines()[-10:]))
