"""Check 6: checkov on the transformed template: each failed check is mended, or skipped with a reason in the template.

A comment `# checkov:skip=CKV_AWS_18: reason` inside a resource skips the check for what SAM makes of this resource.
Inside `Globals.Function` it skips the check for every function.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.validate_template.findings import Finding
from tools.validate_template.translation import translate

PROGRAM = Path(__file__).parents[2] / ".venv-checkov" / "bin" / "checkov"
MISSING = ".venv-checkov is missing: make .venv-checkov/.synced"
FUNCTIONS = "Function"
"""The place of skips in `Globals.Function`."""

_SKIP = re.compile(r"\s*# checkov:skip=(?P<check>CKV\w+): (?P<reason>\S.*)")
_ENTRY = re.compile(r"  (?P<name>\w+):")


@dataclass(frozen=True, slots=True)
class Skip:
    """A check that a comment skips for the resources of one place, a logical id or FUNCTIONS."""

    place: str
    check: str

    def covers(self, check: str, type_: str, resource: str) -> bool:
        """Return whether it skips this check for this resource of the transformed template."""
        if check != self.check:
            return False
        return type_ == "AWS::Lambda::Function" if self.place == FUNCTIONS else resource.startswith(self.place)


def lint_as_checkov(template: Path) -> list[Finding]:
    """Return the failed checks that no comment skips, and the comments that skip nothing.

    Without checkov the check is left out, except where CI=true.
    """
    if not PROGRAM.exists():
        return [Finding(template.name, MISSING)] if os.environ.get("CI") == "true" else []
    translation = translate(template)
    if translation.text is None:
        return [Finding(template.name, line) for line in translation.objections]
    return list(findings(_failed(translation.text), list(skips_of(template.read_text()))))


def note(_: Path) -> str:
    """Return what to print after this check's `ok`."""
    return "every other check is skipped with its reason" if PROGRAM.exists() else f"left out, because {MISSING}"


def skips_of(text: str) -> Iterator[Skip]:
    """Yield the skips of a template, in their order."""
    place = ""
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        place = entry["name"] if entry else place
        skip = _SKIP.fullmatch(line)
        if skip is not None:
            yield Skip(place, skip["check"])


def findings(failed: Sequence[Mapping[str, Any]], skips: Sequence[Skip]) -> Iterator[Finding]:
    """Yield the failed checks that no skip covers, and the skips that cover none."""
    used: set[Skip] = set()
    for each in failed:
        type_, _, resource = str(each["resource"]).rpartition(".")
        covering = [skip for skip in skips if skip.covers(str(each["check_id"]), type_, resource)]
        used.update(covering)
        if not covering:
            yield Finding(resource, f"{each['check_id']} {each['check_name']}")
    for skip in skips:
        if skip not in used:
            yield Finding(skip.place, f"{skip.check} is skipped here, but does not fail: remove the comment")


def _failed(translated: str) -> list[Mapping[str, Any]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "translated.json"
        file.write_text(translated)
        options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "--output", "json"]
        finished = subprocess.run(
            [PROGRAM, "--file", str(file), *options], capture_output=True, text=True, check=False, cwd=folder
        )
    report: dict[str, Any] = json.loads(finished.stdout)
    failed: list[Mapping[str, Any]] = report["results"]["failed_checks"]
    return failed
