"""Rules for IAM: every function and state machine lists the actions that it needs, and their resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.validate_template.document import Document
from tools.validate_template.findings import Finding

# Log delivery is managed per account and region; its actions take no resource (Service Authorization Reference).
WITHOUT_RESOURCE = frozenset(
    f"logs:{action}"
    for action in (
        "CreateLogDelivery",
        "GetLogDelivery",
        "UpdateLogDelivery",
        "DeleteLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "DescribeResourcePolicies",
        "DescribeLogGroups",
    )
)
_TYPES = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine")


def check_policies(document: Document) -> Iterator[Finding]:
    """Yield the findings of every statement that allows something."""
    for kind in _TYPES:
        for resource in document.of_type(kind):
            policies = resource.properties.get("Policies")
            place = f"{resource.logical_id}.Policies"
            if policies is None:
                yield Finding(place, "is missing: say which actions it needs, or [] for none")
                continue
            for policy in policies:
                if not isinstance(policy, dict) or "Statement" not in policy:
                    yield Finding(place, f"{policy!r} is not spelled out: write the actions and their resources")
                    continue
                for statement in policy["Statement"]:
                    yield from _statement(place, statement)


def _statement(place: str, statement: dict[str, Any]) -> Iterator[Finding]:
    if statement.get("Effect") != "Allow":
        return
    actions = _as_list(statement.get("Action"))
    for action in actions:
        if "*" in str(action):
            yield Finding(place, f"action {action} has a wildcard")
    for resource in _as_list(statement.get("Resource")):
        if resource == "*" and set(actions) <= WITHOUT_RESOURCE:
            continue
        text = resource if isinstance(resource, str) else str(resource.get("Fn::Sub", ""))
        if not _is_scoped(text):
            yield Finding(place, f"resource {text} of {', '.join(map(str, actions))} has too wide a wildcard")


def _is_scoped(arn: str) -> bool:
    """Return whether a star is only for what is inside one resource of ours: `…/jobs/*`, `…${X.Name}:*`.

    `…:${AWS::StackName}-*` would match what belongs to another stack, whose name begins in the same way.
    """
    head, star, tail = arn.partition("*")
    return not star or (not tail and head.endswith(("/", ".Name}:")) and "${" in head)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
