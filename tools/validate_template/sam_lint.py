"""Check 1: `sam validate --lint` on the template before its transformation."""

from __future__ import annotations

import re
from pathlib import Path

from tools.validate_template.findings import Finding
from tools.validate_template.sam_environment import REGION, run

# One match in the list that the SAM CLI prints on a single line.
_MATCH = re.compile(r"\[(?P<rule>[EWI]\d{4}): .*?\] \((?P<message>.*?)\) matched (?P<line>\d+)")


def lint_as_sam(template: Path) -> list[Finding]:
    """Return the findings of the SAM CLI and its cfn-lint, which miss invalid values inside SAM resources."""
    finished = run("sam", "validate", "--lint", "--region", REGION, "--template", str(template), cwd=template.parent)
    if finished.returncode == 0:
        return []
    said = f"{finished.stdout}\n{finished.stderr}"
    matches = [
        Finding(f"{template.name}:{match['line']}", f"{match['rule']} {match['message']}")
        for match in _MATCH.finditer(said)
    ]
    return matches or [Finding(template.name, " ".join(said.split()))]
