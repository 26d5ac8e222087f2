"""Check 5: every role allows exactly the actions and resources that its code was observed to use.

What was seen is in docs/permissions.json, which `make permissions` records (docs/decisions/0013).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.aws.iam import Grant, grants_of, resources_of
from local.template.intrinsics import TemplateError
from local.template.template import Template
from tools.validate_template.findings import Finding
from tools.validate_template.policy_rules import WITHOUT_RESOURCE

RECORD = "docs/permissions.json"

NOT_SEEN_LOCALLY = WITHOUT_RESOURCE
"""The actions with which Step Functions delivers its logs. AWS makes these calls; nothing else is exempt."""

Used = Mapping[str, Mapping[str, Sequence[str]]]
"""Role → action → the ARNs that it was used on."""


def check_permissions(template: Path) -> list[Finding]:
    """Compare the template with the record beside it, and return the findings."""
    record = template.parent / RECORD
    if not record.is_file():
        return [Finding(RECORD, "is missing: make permissions")]
    try:
        return compare(Template(template), json.loads(record.read_text()))
    except TemplateError as error:
        return [Finding(template.name, str(error))]


def compare(template: Template, used: Used) -> list[Finding]:
    """Return what each role uses but does not allow, and what it allows but does not use."""
    granted = grants_of(template)
    known = resources_of(template) | {
        grant.pattern for grants in granted.values() for grant in grants if grant.action.startswith("s3:")
    }
    findings = [
        Finding(role, f"is in {RECORD}, and no role of the template: make permissions")
        for role in used.keys() - granted
    ]
    for role, grants in granted.items():
        place = f"{role.removesuffix('Role')}.Policies"
        if role not in used:
            findings.append(Finding(place, f"cannot be judged: {RECORD} does not have it: make permissions"))
            continue
        findings += [
            Finding(place, said) for said in (*_lacking(grants, used[role]), *_spare(grants, used[role], known))
        ]
    return findings


def _lacking(grants: Sequence[Grant], used: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for action, arns in used.items():
        for arn in arns:
            if not any(grant.action == action and grant.covers(arn) for grant in grants):
                yield f"does not allow {action} on {_own_part(arn)}, which its code uses"


def _spare(grants: Sequence[Grant], used: Mapping[str, Sequence[str]], known: set[str]) -> Iterator[str]:
    for place, grant in enumerate(grants):
        if grant.action in NOT_SEEN_LOCALLY:
            continue
        if grant in grants[:place]:
            yield f"allows {grant.action} on {_own_part(grant.pattern)} twice"
        for arn in sorted(arn for arn in known if grant.covers(arn)) or [grant.pattern]:
            if arn not in used.get(grant.action, ()):
                yield f"allows {grant.action} on {_own_part(arn)}, which its code does not use"


def _own_part(arn: str) -> str:
    """Return the ARN without service, region and account."""
    return arn.split(":", 5)[-1]
