"""Decides, as IAM does, what each role of the template may do, and records what it did."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from local.template.intrinsics import ACCOUNT, REGION, TemplateError
from local.template.template import Template
from local.template.websocket_api import WebSocketApi

_PREFIX = "s3:prefix"
_CONNECTIONS = "/@connections/*"
CONNECTION_METHODS = ("POST", "GET", "DELETE")
"""The methods of a WebSocket API's `@connections`, of which each is a resource."""


def role_of(logical_id: str) -> str:
    """Return the name of the role that SAM creates for a function or a state machine."""
    return f"{logical_id}Role"


@dataclass(frozen=True, slots=True)
class Access:
    """An action on a resource; `prefix` is the prefix of a listing of a bucket."""

    action: str
    arn: str
    prefix: str | None = None


@dataclass(frozen=True)
class Grant:
    """Allows an action on the resources that match an ARN pattern.

    If there are `prefixes`, the prefix of a listing must match one of them.
    """

    action: str
    pattern: str
    prefixes: tuple[str, ...] = ()

    def allows(self, access: Access) -> bool:
        return (
            access.action == self.action
            and self.covers(access.arn)
            and (not self.prefixes or any(matches(each, access.prefix or "") for each in self.prefixes))
        )

    def covers(self, arn: str) -> bool:
        return self._pattern.fullmatch(arn) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _compiled(self.pattern)


def grants_of(template: Template) -> dict[str, tuple[Grant, ...]]:
    """Return the grants of each role. Raises TemplateError for a policy that this module does not support.

    The policies that SAM adds itself, for logs and traces, are left out, because no request here needs them.
    """
    return {
        role_of(logical_id): tuple(_grants(logical_id, statements)) for logical_id, statements in template.policies()
    }


def _grants(logical_id: str, statements: Sequence[Mapping[str, Any]]) -> Iterable[Grant]:
    for statement in statements:
        unknown = statement.keys() - {"Effect", "Action", "Resource", "Condition", "Sid"}
        if unknown or statement.get("Effect") != "Allow":
            raise TemplateError(f"{logical_id}.Policies: only statements that allow actions on resources are supported")
        prefixes = _prefixes(logical_id, statement.get("Condition") or {})
        for action in _as_list(statement["Action"]):
            for resource in _as_list(statement["Resource"]):
                yield Grant(action, resource, prefixes)


def _prefixes(logical_id: str, condition: Mapping[str, Any]) -> tuple[str, ...]:
    if not condition:
        return ()
    if condition.keys() != {"StringLike"} or condition["StringLike"].keys() != {_PREFIX}:
        raise TemplateError(f"{logical_id}.Policies: the only supported condition is StringLike on {_PREFIX}")
    return tuple(_as_list(condition["StringLike"][_PREFIX]))


def resource_of(arn: str) -> str:
    """Return the resource that a policy names: a folder of objects, all executions, or all connections."""
    service, own = arn.split(":")[2], arn.split(":", 5)[5]
    if service == "s3" and "/" in own:
        bucket, key = own.split("/", 1)
        folder, inside, _ = key.partition("/")
        return f"arn:aws:s3:::{bucket}/{folder}{'/*' if inside else ''}"
    if own.startswith("execution:"):
        return arn.rpartition(":")[0] + ":*"
    if service == "execute-api":
        return f"{arn.partition('/@connections/')[0]}{_CONNECTIONS}"
    return arn


def access_denied(role: str, access: Access) -> str:
    """Return the message of AWS for an access that no policy of the role allows."""
    return (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/local is not authorized to perform: {access.action} on "
        f"resource: {access.arn} because no identity-based policy allows the {access.action} action"
    )


def resources_of(template: Template) -> set[str]:
    """Return all resources of the template, in the form of `resource_of`, except folders of buckets."""
    tables = {f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table.name}": table for table in template.tables}
    indexes = {
        f"{arn}/index/{index['IndexName']}"
        for arn, table in tables.items()
        for index in table.definition.get("GlobalSecondaryIndexes", ())
    }
    machines = {machine.arn for machine in template.state_machines}
    executions = {f"{arn.replace(':stateMachine:', ':execution:')}:*" for arn in machines}
    buckets = {f"arn:aws:s3:::{bucket}" for bucket in template.buckets}
    secrets = {each.arn for each in template.secrets}
    queues = {each.arn for each in template.queues}
    return {*tables, *indexes, *machines, *executions, *buckets, *secrets, *queues, *_connections(template)}


def connections_arn(api: WebSocketApi, method: str, connection: str = "*") -> str:
    """Return the ARN of a connection of the API, or of all, for one method of `@connections`."""
    return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.api_id}/{api.stage}/{method}/@connections/{connection}"


def _connections(template: Template) -> Iterable[str]:
    api = template.websocket_api
    return () if api is None else [connections_arn(api, method) for method in CONNECTION_METHODS]


class AccessControl:
    """Allows a role what its policies grant, and records what was used and what was refused. Thread-safe.

    A caller that is not a role of the template, such as the stack itself or a test, may do everything without a record.
    """

    def __init__(self, grants: Mapping[str, Sequence[Grant]]) -> None:
        self._grants = grants
        self._lock = threading.Lock()
        self._used: dict[tuple[str, Access], None] = {}
        self._refused: dict[tuple[str, Access], None] = {}
        self.appended: dict[str, None] = {}
        """The roles that have appended events to a job's log, of which IAM knows nothing."""

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls(grants_of(template))

    def knows(self, role: str) -> bool:
        return role in self._grants

    def first_refused(self, role: str, accesses: Iterable[Access]) -> Access | None:
        """Return the first access that the role is not granted, or None if it may do all of them."""
        for access in accesses:
            if (role, access) in self._used:  # exactly this access was allowed before
                continue
            allowed = any(grant.allows(access) for grant in self._grants[role])
            with self._lock:
                if not allowed:
                    self._refused[role, access] = None
                    return access
                self._used[role, Access(access.action, resource_of(access.arn))] = None
        return None

    def as_json(self) -> dict[str, list[list[str]]]:
        """Return role, action and ARN of what was `used`, by resource, and of what was `refused`, oldest first."""
        with self._lock:
            return {
                "used": [[role, access.action, access.arn] for role, access in self._used],
                "refused": [[role, access.action, access.arn] for role, access in self._refused],
            }


def matches(pattern: str, text: str) -> bool:
    """Tell whether the text fits an IAM pattern."""
    return _compiled(pattern).fullmatch(text) is not None


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile an IAM pattern, in which `*` and `?` are the only wildcards."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
