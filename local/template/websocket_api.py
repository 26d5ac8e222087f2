"""Read a WebSocket API from its SAM resource: its stage, its routes, and the function that authorizes connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.template.intrinsics import REGION, TemplateError

TYPE = "AWS::Serverless::WebSocketApi"
DEFAULT_STAGE = "default"  # SAM's own
_SELECTION = re.compile(r"\$request\.body((?:\.\w+)+)")
_FUNCTION = re.compile(r"\$\{(\w+)(?:\.Arn|\.Alias)?\}(?::\w+)?")
_ALIAS = ".Alias"


@dataclass(frozen=True, slots=True)
class WebSocketAuthorizer:
    """The Lambda authorizer of `$connect`; `function` is a logical id.

    `identity_sources`: names of headers and query parameters, such as `route.request.header.Authorization`, without
    which a connection is refused before the function runs.
    """

    function: str
    identity_sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WebSocketApi:
    """A WebSocket API: `routes` has the logical id of the function of each route key.

    `selection`: the path in a message's JSON to the value that selects the route, such as `("type",)`.
    """

    logical_id: str
    stage: str
    selection: tuple[str, ...]
    routes: Mapping[str, str]
    authorizer: WebSocketAuthorizer | None

    @property
    def api_id(self) -> str:
        return api_id_of(self.logical_id)


def api_id_of(logical_id: str) -> str:
    """Return the value of `Ref` and of the attribute `ApiId`."""
    return logical_id.lower()


def endpoint_of(logical_id: str) -> str:
    """Return the value of the attribute `ApiEndpoint` as on AWS, for a template that is read without a stack."""
    return f"wss://{api_id_of(logical_id)}.execute-api.{REGION}.amazonaws.com"


def websocket_api_of(
    logical_id: str, properties: Mapping[str, Any], resolve: Callable[[Any, str], Any]
) -> WebSocketApi:
    """Read the resource's properties; `resolve(value, path)` replaces the intrinsics of a value.

    Raises:
        TemplateError: a route does not invoke a function of the template, or a property is not supported.
    """
    routes = {
        key: _function(route.get("FunctionArn"), f"{logical_id}.Routes.{key}.FunctionArn")
        for key, route in (properties.get("Routes") or {}).items()
    }
    expression = str(resolve(properties.get("RouteSelectionExpression"), f"{logical_id}.RouteSelectionExpression"))
    selection = _SELECTION.fullmatch(expression)
    if selection is None:
        raise TemplateError(f"{logical_id}.RouteSelectionExpression: must be $request.body.NAME, found {expression}")
    for key, route in (properties.get("Routes") or {}).items():
        if "RouteResponseSelectionExpression" in route:
            raise TemplateError(f"{logical_id}.Routes.{key}: route responses are not supported")
    return WebSocketApi(
        logical_id=logical_id,
        stage=str(resolve(properties.get("StageName", DEFAULT_STAGE), f"{logical_id}.StageName")),
        selection=tuple(selection[1].strip(".").split(".")),
        routes=routes,
        authorizer=_authorizer(properties.get("Auth") or {}, f"{logical_id}.Auth", resolve),
    )


def _authorizer(auth: Mapping[str, Any], path: str, resolve: Callable[[Any, str], Any]) -> WebSocketAuthorizer | None:
    kind = auth.get("AuthType", "NONE")
    if kind == "NONE":
        return None
    if kind != "CUSTOM":
        raise TemplateError(f"{path}.AuthType: CUSTOM and NONE are supported, found {kind}")
    sources = resolve(auth.get("IdentitySource") or [], f"{path}.IdentitySource")
    return WebSocketAuthorizer(_function(auth.get("AuthArn"), f"{path}.AuthArn"), tuple(sources))


def _function(value: Any, path: str) -> str:
    """Return the logical id in `!GetAtt F.Arn`, `!Ref F.Alias`, `!Ref F` or `!Sub "${F.Arn}:live"`."""
    match value:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Ref": str(name)}:
            return name.removesuffix(_ALIAS)
        case {"Fn::Sub": str(text)} if (found := _FUNCTION.fullmatch(text)) is not None:
            return found[1]
    raise TemplateError(f"{path}: must be !GetAtt SomeFunction.Arn or !Ref SomeFunction.Alias")
