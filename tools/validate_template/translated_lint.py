"""Check 2, the transformed template under cfn-lint, and its number of resources: what CloudFormation would be given."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tools.validate_template.findings import Finding
from tools.validate_template.sam_environment import cfn_lint
from tools.validate_template.translation import translate

MOST_RESOURCES = 450
"""CloudFormation takes 500 in one stack; the rest is room to split the stack before it is needed.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""


def lint_translated(template: Path) -> list[Finding]:
    """Finds wrong values inside SAM resources (a runtime, an InvokeMode), which `sam validate` passes."""
    translation = translate(template)
    if translation.text is None:
        return [Finding(template.name, line) for line in translation.objections]
    with TemporaryDirectory() as folder:
        translated = Path(folder) / "translated.json"
        translated.write_text(translation.text)
        # A value from Globals is wrong in every function alike: one line says it.
        findings = list(dict.fromkeys(cfn_lint(translated)))
    return [*findings, *too_many(translation.resources().total(), template.name)]


def too_many(resources: int, place: str) -> list[Finding]:
    if resources <= MOST_RESOURCES:
        return []
    return [Finding(place, f"makes {resources} resources, more than {MOST_RESOURCES}: give applications nested stacks")]


def count(template: Path) -> str:
    """Return what to print beside this check's `ok`: the count, and the types there are most of."""
    resources = translate(template).resources()
    most = ", ".join(f"{number} {type_.removeprefix('AWS::')}" for type_, number in resources.most_common(4))
    return f"{resources.total()} resources of at most {MOST_RESOURCES} ({most}, …)"
