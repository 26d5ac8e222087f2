"""Run the six checks on a template, one line per finding: `python -m tools.validate_template [TEMPLATE]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.validate_template.checkov_lint import lint_as_checkov, note
from tools.validate_template.definition_lint import lint_definitions
from tools.validate_template.findings import Finding
from tools.validate_template.house_rules import check_house_rules
from tools.validate_template.permission_rules import check_permissions
from tools.validate_template.sam_lint import lint_as_sam
from tools.validate_template.translated_lint import count, lint_translated

CHECKS: Mapping[str, Callable[[Path], list[Finding]]] = {
    "sam": lint_as_sam,
    "translated": lint_translated,
    "definition": lint_definitions,
    "rules": check_house_rules,
    "permissions": check_permissions,
    "checkov": lint_as_checkov,
}
NOTES: Mapping[str, Callable[[Path], str]] = {"translated": count, "checkov": note}
"""Check → the function that returns what to print after the check's `ok`."""


def main() -> int:
    """Return the exit status: 0 for no findings, 1 for findings, 2 for invalid arguments."""
    parser = argparse.ArgumentParser(prog="python -m tools.validate_template", description=__doc__)
    parser.add_argument("template", nargs="?", type=Path, default=Path("template.yaml"))
    parser.add_argument("--only", choices=CHECKS, action="append", help="run this check; may be given several times")
    arguments = parser.parse_args()
    if not arguments.template.is_file():
        parser.error(f"there is no {arguments.template}")

    found = 0
    template = arguments.template.resolve()
    for name in arguments.only or CHECKS:
        findings = CHECKS[name](template)
        for finding in findings:
            print(f"{name}: {finding}")
        if not findings:
            print(f"{name}: ok{f', {NOTES[name](template)}' if name in NOTES else ''}")
        found += len(findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
