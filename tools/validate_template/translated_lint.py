"""Check 2: cfn-lint on the transformed template, and its number of resources."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tools.validate_template.findings import Finding
from tools.validate_template.sam_environment import cfn_lint
from tools.validate_template.translation import translate

MOST_RESOURCES = 450
"""CloudFormation allows 500 resources per stack; the difference is room to split the stack in time.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""


def lint_translated(template: Path) -> list[Finding]:
    """Return the invalid values inside SAM resources (a runtime, an InvokeMode), which `sam validate` misses."""
    translation = translate(template)
    if translation.text is None:
        return [Finding(template.name, line) for line in translation.objections]
    with TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        translated.write_text(translation.text)
        # An invalid value in Globals is found in every function; print it once.
        findings = list(dict.fromkeys(cfn_lint(translated)))
    return [*findings, *too_many(translation.resources().total(), template.name)]


def too_many(resources: int, place: str) -> list[Finding]:
    if resources <= MOST_RESOURCES:
        return []
    return [Finding(place, f"makes {resources} resources, more than {MOST_RESOURCES}: give applications nested stacks")]


def count(template: Path) -> str:
    """Return what to print after this check's `ok`: the number of resources, and the most frequent types."""
    resources = translate(template).resources()
    most = ", ".join(f"{number} {type_.removeprefix('AWS::')}" for type_, number in resources.most_common(4))
    return f"{resources.total()} resources of at most {MOST_RESOURCES} ({most}, …)"
