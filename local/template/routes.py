"""Read the routes of an HTTP API from its OpenAPI definition, as API Gateway imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.template.intrinsics import TemplateError

_INTEGRATION = "x-amazon-apigateway-integration"
_FUNCTION = re.compile(r"/functions/\$\{(?P<function>\w+)\.Arn\}(:\w+)?/invocations$")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ANY = "X-AMAZON-APIGATEWAY-ANY-METHOD"


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `function` is a logical id, `authorized` says whether the JWT authorizer checks its requests."""

    method: str
    path: str
    function: str
    authorized: bool

    @property
    def methods(self) -> tuple[str, ...]:
        return _METHODS if self.method == _ANY else (self.method,)


def routes_of(body: Mapping[str, Any], default: str | None) -> Iterator[Route]:
    """Yield the routes of a DefinitionBody; `default` is the authorizer of a route that names none.

    Raises:
        TemplateError: a route does not invoke a function of the template.
    """
    for path, methods in (body.get("paths") or {}).items():
        for method, operation in methods.items():
            place = f"HttpApi.DefinitionBody.paths.{path}.{method}"
            authorizers = [name for each in operation.get("security") or [] for name in each] or [default]
            yield Route(method.upper(), path, _function(operation, place), authorizers not in (["NONE"], [None]))


def _function(operation: Mapping[str, Any], place: str) -> str:
    uri = (operation.get(_INTEGRATION) or {}).get("uri")
    match = _FUNCTION.search(str(uri["Fn::Sub"])) if isinstance(uri, dict) and "Fn::Sub" in uri else None
    if match is None:
        raise TemplateError(f"{place}.{_INTEGRATION}.uri: must be !Sub …/functions/${{SomeFunction.Arn}}/invocations")
    return match["function"]
