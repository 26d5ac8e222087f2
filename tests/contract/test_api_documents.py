"""The OpenAPI document and the TypeScript types in docs/api are valid and match the data models."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from shared.apps.registry import RegisteredPipelines
from shared.errors import ErrorCode
from shared.jobs.job import JobStatus
from shared.log.events import CORE_STREAM_EVENT, type_of
from shared.web.jobs import job_request_type
from shared.webhooks.endpoint import WebhookEventType
from shared.webhooks.signature import signed_headers
from shared.webhooks.trial import TEST_EVENT
from tests.layout import APPS
from tools import openapi, python_client, typescript

EVENT_TYPES = {
    *("connected", "stage", "progress", "delta", "tool", "subtask", "item", "reset", "snapshot"),
    *("complete", "error", "cancelled"),
    *(type_of(event) for pipeline in RegisteredPipelines().values() for event in pipeline.events),
}
"""The events of the core, and those that the applications declare."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text())
    return loaded


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    methods = {"get", "post", "put", "patch", "delete"}
    found = [path[method] for path in document["paths"].values() for method in path.keys() & methods]
    return {operation["operationId"]: operation for operation in found}


@pytest.mark.parametrize("generator", [openapi, typescript, python_client])
def test_the_committed_file_matches_the_models(generator: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert generator.main(["--check"]) == 0, capsys.readouterr().err


def test_a_file_that_differs_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    stale = openapi.ROOT / "docs/api/no-such-file.json"

    assert openapi.write_or_check(stale, "{}", check=True) == 1
    assert "make openapi" in capsys.readouterr().err


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_http_function_has_its_operation_under_its_own_name(operations: dict[str, Any]) -> None:
    functions = {app.parent.name for app in APPS if "app = " in app.read_text()}
    functions.remove("console")  # a page, not the API

    assert operations.keys() == functions


def test_every_operation_accepts_a_token_and_the_stream_a_ticket_too(operations: dict[str, Any]) -> None:
    taken = {name: operation["security"] for name, operation in operations.items()}

    assert taken.pop("stream_job") == [{"bearer": []}, {"ticket": []}]
    assert all(each == [{"bearer": []}] for each in taken.values())


def test_the_stream_has_another_origin(document: dict[str, Any]) -> None:
    (api,) = document["servers"]
    (stream,) = document["paths"][openapi.STREAM_PATH]["servers"]

    assert api["url"] != stream["url"]
    assert [path for path, item in document["paths"].items() if "servers" in item] == [openapi.STREAM_PATH]


def test_the_document_describes_every_refusal_with_the_envelope(operations: dict[str, Any]) -> None:
    for name, operation in operations.items():
        refused = {status: response for status, response in operation["responses"].items() if int(status) >= 400}
        assert refused.keys() >= {"401", "422", "429", "500", "503"}, name
        for status, response in refused.items():
            text = json.dumps(response["content"]["application/json"]["schema"])
            assert "ErrorEnvelope" in text or (status == "429" and "GatewayMessage" in text), (name, status)
    assert "HTTPValidationError" not in json.dumps(operations)


def test_a_429_has_retry_after_and_a_401_has_www_authenticate(operations: dict[str, Any]) -> None:
    for operation in operations.values():
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def test_only_operations_on_one_resource_return_403_or_404(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "patch", "delete"}:
            described = item[method]["responses"].keys()
            assert ("404" in described) == ("Id}" in path), path
            # Webhooks and erasures are found among those of their owner, so nobody learns that another user has one.
            assert ("403" in described) == ("Id}" in path and not path.startswith(("/webhooks", "/me/"))), path


def test_the_examples_of_requests_are_valid(operations: dict[str, Any]) -> None:
    requests = TypeAdapter(job_request_type(RegisteredPipelines()))
    examples = operations["create_job"]["requestBody"]["content"]["application/json"]["examples"]

    assert examples
    for example in examples.values():
        requests.validate_python(example["value"])


def test_the_document_describes_every_event_of_the_stream(document: dict[str, Any], operations: dict[str, Any]) -> None:
    stream = operations["stream_job"]["responses"]["200"]["content"]["text/event-stream"]
    schemas = document["components"]["schemas"]

    assert stream["schema"]["properties"]["data"]["contentSchema"]["$ref"].endswith("/StreamEvent")
    assert set(stream["schema"]["properties"]["event"]["enum"]) == EVENT_TYPES
    assert stream["x-event-types"].keys() == EVENT_TYPES
    for kind, reference in stream["x-event-types"].items():
        described = schemas[reference["$ref"].rpartition("/")[2]]
        assert described["properties"]["type"]["const"] == kind
        assert "type" in described["required"]
    models = CORE_STREAM_EVENT.json_schema()["$defs"].values()
    core = {each["properties"]["type"]["const"] for each in models if _typed(each)}
    declared = {type_of(event) for pipeline in RegisteredPipelines().values() for event in pipeline.events}
    assert core | declared == EVENT_TYPES


def _typed(schema: dict[str, Any]) -> bool:
    return "const" in schema.get("properties", {}).get("type", {})


def test_the_document_describes_the_body_of_every_event_of_a_webhook(document: dict[str, Any]) -> None:
    webhooks = document["webhooks"]

    assert webhooks.keys() == {*WebhookEventType, TEST_EVENT}
    for kind, item in webhooks.items():
        described, narrowed = item["post"]["requestBody"]["content"]["application/json"]["schema"]["allOf"]
        assert narrowed == {"properties": {"type": {"const": kind}}}
        model = document["components"]["schemas"][described["$ref"].rpartition("/")[2]]
        assert {"type", "timestamp", "data"} <= set(model["required"])
        assert {each["name"] for each in item["post"]["parameters"]} == set(signed_headers([b""], "", 0, b""))


def test_the_document_describes_every_pipelines_result(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["PipelineResults"]["properties"].keys() == set(RegisteredPipelines())


# ---- TypeScript ------------------------------------------------------------------------------------------------------


def test_the_types_contain_every_schema_except_success_envelopes(document: dict[str, Any]) -> None:
    text = typescript.TYPES.read_text()
    wanted = {name for name in document["components"]["schemas"] if not name.endswith("Envelope")} | {"ErrorEnvelope"}

    declared = {line.split()[2].split("<")[0] for line in text.splitlines() if line.startswith("export ")}

    assert declared == wanted | {"Envelope", "Answer", "PipelineInputs"}


def test_the_types_have_a_union_for_each_enum_and_one_for_events() -> None:
    text = typescript.TYPES.read_text()

    assert "export type JobStatus =" + "".join(f'\n  | "{status}"' for status in JobStatus) + ";" in text
    assert "export type ErrorCode =" + "".join(f'\n  | "{code}"' for code in ErrorCode) + ";" in text
    assert all(f'  type: "{kind}";' in text for kind in EVENT_TYPES)


def test_a_schema_without_a_typescript_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="no TypeScript"):
        typescript._declaration("X", {"properties": {"a": {"type": "quaternion"}}})
