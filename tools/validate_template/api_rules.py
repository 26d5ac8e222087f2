"""Rules for the HTTP API: every route names an authorizer, and the API's role may invoke the routes' functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.validate_template.document import Document, Resource
from tools.validate_template.findings import Finding

_INTEGRATION = "x-amazon-apigateway-integration"
_PREFIX = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
_SUFFIX = "/invocations"


def check_api(document: Document) -> Iterator[Finding]:
    """Yield the findings of every route, then those of the role with which API Gateway invokes functions."""
    for api in document.of_type("AWS::Serverless::HttpApi"):
        role = document.resources.get(f"{api.logical_id}Role")
        if role is None:
            yield Finding(api.logical_id, f"there is no {api.logical_id}Role to invoke the functions of its routes")
            continue
        invoked: set[str] = set()
        for place, operation in _operations(api):
            yield from _security(api, place, operation)
            integration = operation.get(_INTEGRATION) or {}
            if integration.get("credentials") != {"Fn::GetAtt": [role.logical_id, "Arn"]}:
                yield Finding(place, f"must have the credentials of {role.logical_id}")
            uri = str((integration.get("uri") or {}).get("Fn::Sub"))
            invoked.add(uri.removeprefix(_PREFIX).removesuffix(_SUFFIX))
        granted = _granted(role)
        for target in sorted(invoked - granted):
            yield Finding(role.logical_id, f"may not invoke {target}, which has a route")
        for target in sorted(granted - invoked):
            yield Finding(role.logical_id, f"may invoke {target}, which has no route")


def _operations(api: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in (api.properties.get("DefinitionBody") or {}).get("paths", {}).items():
        for method, operation in methods.items():
            yield f"{api.logical_id}: {method.upper()} {path}", operation


def _security(api: Resource, place: str, operation: Mapping[str, Any]) -> Iterator[Finding]:
    known = {"NONE", *api.properties.get("Auth", {}).get("Authorizers", {})}
    named = {name for each in operation.get("security") or [] for name in each}
    if not named or not named <= known:
        yield Finding(place, f"security must name one of {', '.join(sorted(known))}")


def _granted(role: Resource) -> set[str]:
    statements = [each for policy in role.properties["Policies"] for each in policy["PolicyDocument"]["Statement"]]
    return {str(resource.get("Fn::Sub")) for statement in statements for resource in statement["Resource"]}
