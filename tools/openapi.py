"""Merge the OpenAPI descriptions of all HTTP functions into one document: docs/api/openapi.json.

python -m tools.openapi            write the document
python -m tools.openapi --check    fail if the committed document differs
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import operator
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import Field, TypeAdapter

from shared.apps.registry import RegisteredPipelines, application_module, application_names
from shared.channel.messages import ClientMessage, LargeComplete, ServerMessage
from shared.log.events import ApplicationEvent, CoreStreamEvent
from shared.schema import Schema
from shared.web import envelope
from shared.webhooks import signature
from shared.webhooks.endpoint import WebhookEventType
from shared.webhooks.event import WebhookEvent
from shared.webhooks.trial import TEST_EVENT, TrialEvent

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

DOCUMENT = ROOT / "docs/api/openapi.json"
"""The file that this module writes."""

REF = "#/components/schemas/"
"""The prefix of references to schemas."""

STREAM_PATH = "/jobs/{jobId}/stream"
"""The only path that is not behind API Gateway."""

GATEWAY_MESSAGE = "GatewayMessage"
"""The name of the schema of API Gateway's own responses."""

DESCRIPTION = """\
Long LLM jobs: create a job, watch its stream, read its result.

Every response of a function is an envelope with `success`, `data` or `error`, and `meta`. If API Gateway responds
itself, before a function is called, the body is a `GatewayMessage`. A status that both may send lists both bodies.
"""
"""The description of the whole API."""

DESCRIPTIONS = {
    400: "The body is not valid JSON. Correct it and send it again.",
    401: "The request has no valid token or ticket. Get a new one.",
    403: "The job, run or agent belongs to another user.",
    404: "The job, run or agent was not found, has expired or was deleted.",
    409: "The request conflicts with the current state, or repeats a request that is still being processed.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not sent as JSON. Send it with `Content-Type: application/json`.",
    422: "A field is not valid. `error.details.fields` names each such field and its rule.",
    503: "A service that the function needs is unavailable; `error.code` says which. Try again later.",
}
"""Descriptions of error responses by status."""

GATEWAY_RESPONSES = {
    401: "Unauthorized",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""The statuses that API Gateway may send itself, with the message of each."""
GATEWAY_STATUSES_ALWAYS = frozenset({401, 429, 500, 503})
"""Those of them that any operation may respond with."""

STREAM_DESCRIPTION = """\
Server-sent events. `event` is the event's type, `data` is the JSON of a `StreamEvent`, and `id` is its sequence number
in the job's log. The first event of every connection, `connected`, has no `id`. The stream ends after `complete`,
`error` or `cancelled`. If the connection ends before, reconnect with `Last-Event-ID`. Comments (`: heartbeat`) only
show that the connection is open.
"""
"""The description of the stream's events."""

RETRY_AFTER = {
    "description": "Whole seconds to wait before the request is sent again. API Gateway's throttling does not send it.",
    "schema": {"type": "integer", "minimum": 1},
}
"""The header of a response with status 429."""

WWW_AUTHENTICATE = {"description": "How to authenticate.", "schema": {"type": "string"}}
"""The header of a response with status 401."""

REQUEST_ID = {"description": "The same as `meta.requestId`.", "schema": {"type": "string"}}
"""The header of every response of a function."""

LOCATION = {"description": "The job's status URL.", "schema": {"type": "string", "format": "uri"}}
"""The header of the response that created a job."""

WEBHOOK_HEADERS = {
    signature.ID_HEADER: "The event's id, the same in every attempt. A receiver handles an event with a known id once.",
    signature.TIMESTAMP_HEADER: "When this attempt was made, in Unix seconds. Refuse it if it differs by five minutes.",
    signature.SIGNATURE_HEADER: "One or more signatures, separated by spaces; one has to be of your secret.",
}
"""The headers of a request to a webhook, as Standard Webhooks 1.0.0 names them, with a description."""

WEBHOOK_RESPONSES = {
    "2XX": {"description": "The event is delivered. Respond within 15 seconds, and work afterwards."},
    "410": {"description": "Nothing more is sent: the webhook is disabled."},
    "default": {"description": "Another attempt follows, up to eight within a day."},
}
"""What the response of a webhook's receiver means."""

SERVERS = {
    "api": {
        "url": "https://{apiId}.execute-api.{region}.amazonaws.com",
        "description": "The HTTP API: output `ApiUrl` of the stack.",
        "variables": {"apiId": {"default": "api"}, "region": {"default": "eu-central-1"}},
    },
    "stream": {
        "url": "https://{urlId}.lambda-url.{region}.on.aws",
        "description": "The streams, which have their own origin. Every job names it in `streamUrl`.",
        "variables": {"urlId": {"default": "stream"}, "region": {"default": "eu-central-1"}},
    },
}
"""The two origins of the API."""

SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the configured OIDC issuer for the configured audience.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A stream ticket, for `EventSource`, which cannot send headers.",
    },
}
"""The two kinds of credentials."""

UNITED = {
    "Operation": "The operation that responded: one per HTTP function.",
    "Entity": "The kind of `data` in the response.",
}
"""Descriptions of the enums that unite the values of the core and of the applications."""


def http_apps() -> list[FastAPI]:
    """Return the app of every function that has one, in the order of the functions' names."""
    files = sorted((ROOT / "functions").rglob("app.py"), key=lambda file: file.parent.name)
    modules = (importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts)) for file in files)
    return [module.app for module in modules if isinstance(getattr(module, "app", None), FastAPI)]


def openapi() -> dict[str, Any]:
    """Return the whole document, which is the caller's own."""
    document: dict[str, Any] = json.loads(text())
    return document


@functools.cache
def text() -> str:
    """Return the document as JSON, as it is committed. It is built once, in 2 s, and other generators use it too."""
    return json.dumps(_document(), indent=2, ensure_ascii=False) + "\n"


def _document() -> dict[str, Any]:
    routes = [route for app in http_apps() for route in app.routes]
    document = get_openapi(title="Millrace", version="1", description=DESCRIPTION, routes=routes)
    document["servers"] = [SERVERS["api"]]
    document["security"] = [{"bearer": []}]
    schemas = document["components"]["schemas"]
    schemas[GATEWAY_MESSAGE] = {
        "type": "object",
        "description": "A response of API Gateway itself.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    pipelines = RegisteredPipelines().values()
    declared = tuple(dict.fromkeys(event for pipeline in pipelines for event in pipeline.events))
    _add_models(schemas, "StreamEvent", _stream_events(declared))
    for name, messages in (("ClientMessage", ClientMessage), ("ServerMessage", ServerMessage)):
        _add_models(schemas, name, _by_type(get_args(messages)))
    _add_models(schemas, LargeComplete.__name__, TypeAdapter(LargeComplete))
    event = {"anyOf": [{"$ref": f"{REF}StreamEvent"}, {"$ref": REF + LargeComplete.__name__}]}
    schemas["Events"]["properties"]["events"]["items"]["prefixItems"][1] = event
    for pipeline in pipelines:
        _add_models(schemas, pipeline.result_model.__name__, TypeAdapter(pipeline.result_model))
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _finish(document["paths"][route.path_format][method.lower()], route)
    for model in (WebhookEvent, TrialEvent):
        _add_models(schemas, model.__name__, TypeAdapter(model))
    document["webhooks"] = dict(_webhooks())
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    _describe_stream(document["paths"][STREAM_PATH], schemas["StreamEvent"])
    _describe_creation(document["paths"]["/jobs"]["post"])
    _name_pipeline_results(schemas)
    _unite_operations_and_entities(schemas)
    renamed: dict[str, Any] = _rename(_without_titles(document))
    return renamed


def _webhooks() -> Iterator[tuple[str, Any]]:
    """Return the request that the receiver of a webhook gets for each type of event."""
    parameters = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in WEBHOOK_HEADERS.items()
    ]
    for kind in (*WebhookEventType, TEST_EVENT):
        model = TrialEvent if kind == TEST_EVENT else WebhookEvent
        event = {"allOf": [{"$ref": REF + model.__name__}, {"properties": {"type": {"const": str(kind)}}}]}
        yield (
            str(kind),
            {
                "post": {
                    "summary": f"Event {kind}",
                    "security": [],
                    "parameters": parameters,
                    "requestBody": {"required": True, "content": {"application/json": {"schema": event}}},
                    "responses": WEBHOOK_RESPONSES,
                }
            },
        )


def _stream_events(declared: tuple[type[ApplicationEvent], ...]) -> TypeAdapter[Any]:
    """The events of the core and those that applications declare, told apart by `type`."""
    core: tuple[Any, ...] = get_args(get_args(CoreStreamEvent)[0])
    return _by_type((*core, *declared))


def _by_type(models: tuple[Any, ...]) -> TypeAdapter[Any]:
    united = functools.reduce(operator.or_, models)
    discriminated: Any = Annotated[united, Field(discriminator="type")]
    return TypeAdapter(discriminated)


def _add_models(schemas: dict[str, Any], name: str, adapter: TypeAdapter[Any]) -> None:
    schema = adapter.json_schema(mode="serialization", ref_template=REF + "{model}")
    # FastAPI describes a model that is also part of requests as `-Output`; `_rename` gives it the name used here.
    definitions = {key: each for key, each in schema.pop("$defs", {}).items() if f"{key}-Output" not in schemas}
    schemas.update(definitions)
    schemas[name] = schema


def _finish(operation: dict[str, Any], route: APIRoute) -> None:
    """Add what FastAPI does not know: the name, the credentials, the headers and the gateway's responses."""
    # The function's name is also the response's `meta.operation`.
    operation["operationId"] = route.name
    operation["summary"] = route.name.replace("_", " ").capitalize()
    operation["security"] = [{"bearer": []}]
    behind_gateway = route.path_format != STREAM_PATH
    responses = operation["responses"]
    for status in GATEWAY_STATUSES_ALWAYS if behind_gateway else ():
        responses.setdefault(str(status), {"description": "", "content": {"application/json": {}}})
    for status, response in responses.items():
        response["description"] = _description(int(status), response["description"])
        from_gateway = behind_gateway and int(status) in GATEWAY_RESPONSES
        if from_gateway:
            content = response["content"]["application/json"]
            own = [content["schema"]] if "schema" in content else []
            content["schema"] = {"anyOf": [*own, {"$ref": REF + GATEWAY_MESSAGE}]}
        response["headers"] = _headers(int(status), from_gateway=from_gateway)
    operation["responses"] = dict(sorted(responses.items()))


def _description(status: int, own: str) -> str:
    if status in DESCRIPTIONS:
        return DESCRIPTIONS[status]
    return own or f"{GATEWAY_RESPONSES[status]}: API Gateway throttles requests. Wait a moment and try again."


def _headers(status: int, *, from_gateway: bool) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not from_gateway:
        headers["X-Request-Id"] = REQUEST_ID
    if status == 401:
        headers["WWW-Authenticate"] = WWW_AUTHENTICATE
    if status == 429:
        headers["Retry-After"] = RETRY_AFTER
    return headers


def _describe_stream(path: dict[str, Any], events: dict[str, Any]) -> None:
    path["servers"] = [SERVERS["stream"]]
    operation = path["get"]
    operation["security"] = [{"bearer": []}, {"ticket": []}]
    # The ticket is described as a security scheme already.
    operation["parameters"] = [each for each in operation["parameters"] if each["name"] != "ticket"]
    operation["responses"]["200"]["content"]["text/event-stream"] = {
        # OpenAPI 3.1 has no `itemSchema`, which came with 3.2, so the schema describes one event.
        "schema": {
            "type": "object",
            "description": STREAM_DESCRIPTION,
            "properties": {
                "id": {"type": "string", "pattern": "^[1-9][0-9]*$"},
                "event": {"type": "string", "enum": list(events["discriminator"]["mapping"])},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": REF + "StreamEvent"},
                },
                "retry": {"type": "integer"},
            },
            "required": ["event", "data"],
        },
        "x-event-types": {name: {"$ref": ref} for name, ref in events["discriminator"]["mapping"].items()},
    }


def _describe_creation(operation: dict[str, Any]) -> None:
    operation["requestBody"]["content"]["application/json"]["examples"] = _job_examples()
    operation["responses"]["202"]["headers"]["Location"] = LOCATION


def _application_modules() -> list[ModuleType]:
    """Return the `web.py` of every application that has one."""
    found = (application_module(name, "web") for name in application_names())
    return [module for module in found if module is not None]


def _job_examples() -> dict[str, Any]:
    return {
        name: each for module in _application_modules() for name, each in getattr(module, "JOB_EXAMPLES", {}).items()
    }


def _unite_operations_and_entities(schemas: dict[str, Any]) -> None:
    """Unite the values of `meta.operation` and `meta.entity`: those of the core, and those of each application."""
    for name in ("Operation", "Entity"):
        enums = [getattr(module, name) for module in (envelope, *_application_modules()) if hasattr(module, name)]
        values = [each.value for enum in enums for each in enum]
        schemas[name] = {"type": "string", "enum": values, "description": UNITED[name]}
        schemas["Meta"]["properties"][name.lower()] = {"$ref": REF + name}


def _name_pipeline_results(schemas: dict[str, Any]) -> None:
    """Add a schema with one property per pipeline, whose type is that pipeline's result."""
    results = {
        pipeline.name: {"$ref": REF + _name(pipeline.result_model)} for pipeline in RegisteredPipelines().values()
    }
    schemas["PipelineResults"] = {
        "type": "object",
        "description": "The `result` of a completed job, by pipeline.",
        "properties": results,
        "required": list(results),
        "additionalProperties": False,
    }


def _name(model: type[Schema]) -> str:
    return model.__name__


def _without_titles(schema: Any, *, names: bool = False) -> Any:
    """Return the schema without the titles that pydantic derives from names.

    `names` is true if the keys of this level are names of properties or schemas, and not keywords.
    """
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value, names=key in {"properties", "schemas"} and not names)
        for key, value in schema.items()
        if names or key != "title" or "version" in schema
    }


_NAMES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^Envelope_(\w+)_$"), r"\1Envelope"),
    (re.compile(r"-Output$"), ""),
    (re.compile(r"-Input$"), "Request"),
)


def _rename(document: dict[str, Any]) -> dict[str, Any]:
    """Replace FastAPI's names of generic models, and of input and output variants, by names that read well."""
    schemas = document["components"]["schemas"]
    names = dict(_renamings(schemas))
    text = json.dumps(document, ensure_ascii=False)
    for old, new in names.items():
        text = text.replace(f'"{REF}{old}"', f'"{REF}{new}"')
    renamed: dict[str, Any] = json.loads(text)
    renamed["components"]["schemas"] = dict(
        sorted((names.get(name, name), schema) for name, schema in renamed["components"]["schemas"].items())
    )
    return renamed


def _renamings(schemas: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for old in schemas:
        new = old
        for pattern, replacement in _NAMES:
            new = pattern.sub(replacement, new)
        if new != old:
            yield old, new


def main(arguments: list[str] | None = None) -> int:
    """Run `python -m tools.openapi [--check]`; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    return write_or_check(DOCUMENT, text(), check=options.check)


def write_or_check(path: Path, wanted: str, *, check: bool) -> int:
    """Write the file, or only compare it if `check`; return the exit status, which is 1 if the file differs."""
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted)
        return 0
    if path.exists() and path.read_text() == wanted:
        return 0
    print(f"{path.relative_to(ROOT)} does not match the models; run `make openapi` and commit it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
