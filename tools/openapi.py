"""Merges what every HTTP function's app says of itself into one OpenAPI document: docs/api/openapi.json.

python -m tools.openapi            write it
python -m tools.openapi --check    fail when the committed one differs
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from shared.apps.registry import RegisteredPipelines, application_module, application_names
from shared.log.events import StreamEvent
from shared.schema import Schema
from shared.web import envelope

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/api/openapi.json"
REF = "#/components/schemas/"
STREAM_PATH = "/jobs/{jobId}/stream"
GATEWAY_MESSAGE = "GatewayMessage"

DESCRIPTION = """\
Long LLM jobs: create one, watch it as it streams, read its result.

Every answer of a function is an envelope: `success`, `data` or `error`, and `meta`. What API Gateway answers by itself,
before a function is asked, is a `GatewayMessage`; statuses that either may give name both.
"""

DESCRIPTIONS = {
    400: "The body cannot be read as JSON.",
    401: "No token or ticket, or not a valid one.",
    403: "Somebody else's job or agent.",
    404: "There is no such job or agent: it never was, has expired or is deleted.",
    409: "Not possible in the present state of things, or the first request with this `Idempotency-Key` is under way.",
    413: "The body is over 64 KiB.",
    415: "The body is not sent as `application/json`.",
    422: "A field breaks its rule; `error.details.fields` names each field and what would be right.",
    503: "Worth another try in a moment; `error.code` tells what was out of reach.",
}

GATEWAY_ANSWERS = {
    401: "Unauthorized",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""What API Gateway may answer by itself, and in which words."""
GATEWAY_ANSWERS_ALL = frozenset({401, 429, 500, 503})
"""Those of them that any operation may meet."""

STREAM_DESCRIPTION = """\
Server-sent events. `event` is the type, `data` the JSON of a `StreamEvent`, `id` its number in the job's log (the first
on every connection, `connected`, has none). Ends after `complete`, `error` or `cancelled`; when it ends without one,
come back with `Last-Event-ID`. Comments (`: heartbeat`) mean nothing but that the connection lives.
"""

RETRY_AFTER = {
    "description": "Whole seconds until it is worth trying again; API Gateway's own throttling does not send it.",
    "schema": {"type": "integer", "minimum": 1},
}
WWW_AUTHENTICATE = {"description": "How to authenticate.", "schema": {"type": "string"}}
REQUEST_ID = {"description": "The same as `meta.requestId`.", "schema": {"type": "string"}}
LOCATION = {"description": "The job's status URL.", "schema": {"type": "string", "format": "uri"}}

SERVERS = {
    "api": {
        "url": "https://{apiId}.execute-api.{region}.amazonaws.com",
        "description": "The HTTP API; output `ApiUrl` of the stack.",
        "variables": {"apiId": {"default": "api"}, "region": {"default": "eu-central-1"}},
    },
    "stream": {
        "url": "https://{urlId}.lambda-url.{region}.on.aws",
        "description": "Streams have an origin of their own; every job names it in `streamUrl`.",
        "variables": {"urlId": {"default": "stream"}, "region": {"default": "eu-central-1"}},
    },
}

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

UNITED = {
    "Operation": "What was asked for: one per HTTP function.",
    "Entity": "What the answer's `data` is.",
}


def http_apps() -> list[FastAPI]:
    """The app of every function that has one, in the order of their folders."""
    files = sorted((ROOT / "functions").rglob("app.py"), key=lambda file: file.parent.name)
    modules = (importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts)) for file in files)
    return [module.app for module in modules if isinstance(getattr(module, "app", None), FastAPI)]


def openapi() -> dict[str, Any]:
    """The whole document."""
    routes = [route for app in http_apps() for route in app.routes]
    document = get_openapi(title="Millrace", version="1", description=DESCRIPTION, routes=routes)
    document["servers"] = [SERVERS["api"]]
    document["security"] = [{"bearer": []}]
    schemas = document["components"]["schemas"]
    schemas[GATEWAY_MESSAGE] = {
        "type": "object",
        "description": "API Gateway's own answer.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    _add_models(schemas, "StreamEvent", TypeAdapter(StreamEvent))
    for pipeline in RegisteredPipelines().values():
        _add_models(schemas, pipeline.result_model.__name__, TypeAdapter(pipeline.result_model))
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _finish(document["paths"][route.path_format][method.lower()], route)
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    _describe_stream(document["paths"][STREAM_PATH], schemas["StreamEvent"])
    _describe_creation(document["paths"]["/jobs"]["post"])
    _name_pipeline_results(schemas)
    _unite_operations_and_entities(schemas)
    renamed: dict[str, Any] = _rename(_without_titles(document))
    return renamed


def _add_models(schemas: dict[str, Any], name: str, adapter: TypeAdapter[Any]) -> None:
    schema = adapter.json_schema(mode="serialization", ref_template=REF + "{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema


def _finish(operation: dict[str, Any], route: APIRoute) -> None:
    """What FastAPI cannot know: names, credentials, headers, and what the gateway answers."""
    # The function's name, which is also the answer's `meta.operation`.
    operation["operationId"] = route.name
    operation["summary"] = route.name.replace("_", " ").capitalize()
    operation["security"] = [{"bearer": []}]
    behind_gateway = route.path_format != STREAM_PATH
    responses = operation["responses"]
    for status in GATEWAY_ANSWERS_ALL if behind_gateway else ():
        responses.setdefault(str(status), {"description": "", "content": {"application/json": {}}})
    for status, response in responses.items():
        response["description"] = _description(int(status), response["description"])
        from_gateway = behind_gateway and int(status) in GATEWAY_ANSWERS
        if from_gateway:
            content = response["content"]["application/json"]
            own = [content["schema"]] if "schema" in content else []
            content["schema"] = {"anyOf": [*own, {"$ref": REF + GATEWAY_MESSAGE}]}
        response["headers"] = _headers(int(status), from_gateway=from_gateway)
    operation["responses"] = dict(sorted(responses.items()))


def _description(status: int, own: str) -> str:
    if status in DESCRIPTIONS:
        return DESCRIPTIONS[status]
    return own or f"{GATEWAY_ANSWERS[status]}: API Gateway's own throttling."


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
    # Described once, as the security scheme that it is.
    operation["parameters"] = [each for each in operation["parameters"] if each["name"] != "ticket"]
    operation["responses"]["200"]["content"]["text/event-stream"] = {
        # Each event, as OpenAPI before 3.2 and its `itemSchema` has it.
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
    """The `web.py` of every application that has one."""
    found = (application_module(name, "web") for name in application_names())
    return [module for module in found if module is not None]


def _job_examples() -> dict[str, Any]:
    return {
        name: each for module in _application_modules() for name, each in getattr(module, "JOB_EXAMPLES", {}).items()
    }


def _unite_operations_and_entities(schemas: dict[str, Any]) -> None:
    """The values of `meta.operation` and `meta.entity`: the core's, and those that each application declares."""
    for name in ("Operation", "Entity"):
        enums = [getattr(module, name) for module in (envelope, *_application_modules()) if hasattr(module, name)]
        values = [each.value for enum in enums for each in enum]
        schemas[name] = {"type": "string", "enum": values, "description": UNITED[name]}
        schemas["Meta"]["properties"][name.lower()] = {"$ref": REF + name}


def _name_pipeline_results(schemas: dict[str, Any]) -> None:
    """Which result a completed job of which pipeline has, as an object type from pipeline to result."""
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
    """Without the titles pydantic derives from names; `names`: the keys here are properties' names, not keywords."""
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
    """FastAPI's names for generic models and for the two sides of a model, as a person would write them."""
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


def text() -> str:
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.openapi [--check]`."""
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    return write_or_check(DOCUMENT, text(), check=options.check)


def write_or_check(path: Path, wanted: str, *, check: bool) -> int:
    """Exit status: 1 when `check` and the file is not what it should be."""
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted)
        return 0
    if path.exists() and path.read_text() == wanted:
        return 0
    print(f"{path.relative_to(ROOT)} is not what the models say; run `make openapi` and commit it", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
