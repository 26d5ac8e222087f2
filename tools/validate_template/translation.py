"""The transformed template, which SAM would send to CloudFormation, without a call to AWS."""

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
    """`text` is the transformed template as JSON, or None with SAM's `objections` if SAM cannot translate it."""

    text: str | None
    objections: tuple[str, ...] = ()

    def resources(self) -> Counter[str]:
        """Return the number of resources of each type."""
        resources = {} if self.text is None else json.loads(self.text)["Resources"]
        return Counter(resource["Type"] for resource in resources.values())


@functools.cache
def translate(template: Path) -> Translation:
    """Transform the template, once for all checks that read the result."""
    with TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        finished = run("python", str(_TRANSLATE), str(template), str(translated))
        if translated.exists():
            return Translation(translated.read_text())
        said = finished.stdout if finished.stdout.strip() else finished.stderr
        return Translation(None, tuple(said.strip().splitlines()[-10:]))
