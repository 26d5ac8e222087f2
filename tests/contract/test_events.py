"""Each event of `events/` has the route or the state's fields that its function receives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.api.websocket_events import route_of
from local.template.event_sources import StreamSource
from local.template.filter_patterns import matches
from local.template.intrinsics import ACCOUNT, REGION
from local.template.template import Template
from tests.layout import EVENTS, ROOT
from tools.validate_template.document import Document, snake_case, tasks_of


def channel_routes(template: Template) -> dict[str, str | None]:
    api = template.websocket_api
    assert api is not None
    assert api.authorizer is not None
    routes: dict[str, str | None] = {function: key for key, function in api.routes.items()}
    return {
        snake_case(function.removesuffix("Function")): key
        for function, key in {**routes, api.authorizer.function: None}.items()
    }


ROUTES: dict[str, set[str]] = {}
PARAMETERS = {"OidcIssuer": "https://issuer.example.com", "OidcAudience": "millrace"}
ATTRIBUTES = {"StreamJobFunctionUrl.FunctionUrl": "https://stream.example.com/"}
TEMPLATE = Template(ROOT / "template.yaml", parameters=PARAMETERS, attributes=ATTRIBUTES)
for route in TEMPLATE.routes:
    function = snake_case(route.function.removesuffix("Function"))
    ROUTES.setdefault(function, set()).add(f"{route.method} {route.path}")
CHANNEL = channel_routes(TEMPLATE)
"""Function → its route key in the channel; None for the authorizer."""
SOURCES = {source.function.removeprefix("millrace-"): source for source in TEMPLATE.event_sources}
"""Function → the stream or the queue whose records it gets."""
OPEN_TO_ANYBODY = {"console"}
PAYLOADS = {
    snake_case(name): {field.removesuffix(".$") for field in state["Parameters"]["Payload"]}
    for machine in Document.read(ROOT / "template.yaml").state_machines
    for name, state in tasks_of(machine.definition or {})
}


def events_of(functions: dict[str, Any]) -> list[Path]:
    return [file for file in EVENTS if file.name.split(".")[0] in functions]


@pytest.mark.parametrize("file", events_of(ROUTES), ids=lambda file: file.name)
def test_an_http_event_has_the_route_that_the_template_declares(file: Path) -> None:
    event = json.loads(file.read_text())
    function = file.name.split(".")[0]

    assert event["routeKey"] == event["requestContext"]["routeKey"]
    assert event["routeKey"] in ROUTES[function]
    method, _, path = event["routeKey"].partition(" ")
    assert event["version"] == "2.0"
    assert event["requestContext"]["http"]["method"] == method
    path = path.replace("+}", "}").format(**event.get("pathParameters") or {})
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == path
    if function in OPEN_TO_ANYBODY:
        assert "authorizer" not in event["requestContext"]
    else:
        assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "user-1"


@pytest.mark.parametrize("file", events_of(PAYLOADS), ids=lambda file: file.name)
def test_a_stage_event_has_the_fields_that_its_state_sends(file: Path) -> None:
    assert set(json.loads(file.read_text())) == PAYLOADS[file.name.split(".")[0]]


@pytest.mark.parametrize("file", events_of(CHANNEL), ids=lambda file: file.name)
def test_an_event_of_the_channel_has_the_route_that_the_template_declares(file: Path) -> None:
    event = json.loads(file.read_text())
    context = event["requestContext"]
    route = CHANNEL[file.name.split(".")[0]]

    assert context["routeKey"] == (route or "$connect")
    assert context["connectionId"]
    if route is None:
        assert (event["type"], "authorizer" in context) == ("REQUEST", False)
        return
    kinds = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}
    assert context["eventType"] == kinds.get(route, "MESSAGE")
    assert context["authorizer"]["owner"] == "user-1"
    if context["eventType"] == "MESSAGE":
        assert TEMPLATE.websocket_api is not None
        assert route_of(TEMPLATE.websocket_api, event["body"]) == route


@pytest.mark.parametrize("file", events_of(SOURCES), ids=lambda file: file.name)
def test_an_event_of_a_stream_or_a_queue_has_records_that_lambda_would_hand_over(file: Path) -> None:
    source = SOURCES[file.name.split(".")[0]]
    records = json.loads(file.read_text())["Records"]

    assert 0 < len(records) <= source.batch_size
    if isinstance(source, StreamSource):
        assert all(any(matches(each, record) for each in source.patterns) for record in records)
        assert {record["eventSource"] for record in records} == {"aws:dynamodb"}
    else:
        assert {record["eventSource"] for record in records} == {"aws:sqs"}
        assert all(record["attributes"]["ApproximateReceiveCount"] for record in records)


def test_every_event_belongs_to_one_of_these_tests() -> None:
    unchecked = set(EVENTS) - {*events_of(ROUTES), *events_of(PAYLOADS), *events_of(CHANNEL), *events_of(SOURCES)}

    assert {file.name for file in unchecked} == {
        "end_lost_job.execution_failed.json",
        "stream_job.valid.json",
        "sweep_deliveries.scheduled.json",
        "sweep_jobs.scheduled.json",
        "sweep_projects.scheduled.json",
        "sweep_sessions.scheduled.json",
    }


def test_the_event_of_a_failed_execution_matches_the_rule_of_its_function() -> None:
    """The template's region and account are those of the local stack, and the event's those of AWS's examples."""
    event = json.loads((ROOT / "events/operations/end_lost_job.execution_failed.json").read_text())
    (rule,) = Template(ROOT / "template.yaml", parameters=PARAMETERS, attributes=ATTRIBUTES).event_rules
    detail = event["detail"]
    detail["stateMachineArn"] = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:millrace-suggestion"

    assert rule.function.name == "millrace-end_lost_job"
    assert matches(rule.pattern, event)
    for name, value in (("status", "SUCCEEDED"), ("status", "RUNNING"), ("stateMachineArn", "another")):
        assert not matches(rule.pattern, {**event, "detail": {**detail, name: value}})
