"""Schemathesis over the whole OpenAPI document: good and bad requests alike get answers that the document describes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.model.control import ModelControl
from local.stack import LocalStack
from shared.log.events import STREAM_EVENT
from tests.api_user import ApiUser
from tests.apps.ideation.requests import finished_run, new_run
from tools.openapi import DOCUMENT, STREAM_PATH

load_all_checks()
SCHEMA = schemathesis.openapi.from_dict(
    json.loads(DOCUMENT.read_text()),
    config=SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False, "allow-x00": True}}),
)
OPERATIONS = [
    (each.ok().method.upper(), each.ok().path) for each in SCHEMA.get_all_operations() if isinstance(each, Ok)
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
REAL = "the caller's own"
FOREIGN = "somebody else's"
bounded = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_every_operation_of_the_document_is_tried() -> None:
    described = json.loads(DOCUMENT.read_text())["paths"]

    assert set(OPERATIONS) == {
        (method.upper(), path)
        for path, item in described.items()
        for method in item.keys() & {"get", "post", "patch", "delete"}
    }


@pytest.fixture(scope="module", autouse=True)
def _model_without_delay(stack: LocalStack) -> Iterator[None]:
    """Good requests make jobs, and theirs shall be over soon."""
    with ModelControl(stack.model_url) as model:
        model.script(first_token_ms=0, token_ms=0)
        yield
        model.clear()


@pytest.fixture(scope="module")
def caller(stack: LocalStack) -> Iterator[ApiUser]:
    user = ApiUser(stack)
    yield user
    user.close()


@pytest.fixture(scope="module")
def job_ids(stack: LocalStack, caller: ApiUser) -> dict[str, str]:
    """Jobs that are over, so that their streams end."""
    stranger = ApiUser(stack)
    ids = {REAL: caller.new_job(), FOREIGN: stranger.new_job()}
    for user, job_id in zip((caller, stranger), ids.values(), strict=True):
        user.watch(job_id)
    stranger.close()
    return ids


@pytest.fixture
def agent_ids(stack: LocalStack, caller: ApiUser) -> Iterator[dict[str, str]]:
    """New for each test, because one of them deletes them."""
    stranger = ApiUser(stack)
    ids = {REAL: caller.new_agent(), FOREIGN: stranger.new_agent()}
    yield ids
    caller.api.delete(f"/agents/{ids[REAL]}")  # there is a limit
    stranger.close()


@pytest.fixture
def run_ids(stack: LocalStack, caller: ApiUser) -> Iterator[dict[str, str]]:
    """New for each test, because one of them deletes them."""
    stranger = ApiUser(stack)
    yield {REAL: finished_run(caller, ideaCount=1)["runId"], FOREIGN: new_run(stranger, ideaCount=1)["runId"]}
    stranger.close()


@pytest.fixture
def send(request: pytest.FixtureRequest, stack: LocalStack) -> Callable[..., Any]:
    """Sends a case to the origin of its operation, as it is or about a job, an agent or a run that exists."""
    path = request.getfixturevalue("path")
    existing: dict[str, dict[str, str]] = {
        name: request.getfixturevalue(ids)
        for name, ids in (("jobId", "job_ids"), ("agentId", "agent_ids"), ("runId", "run_ids"))
        if f"{{{name}}}" in path
    }

    def call(case: Any, whose: str | None, headers: dict[str, str]) -> Any:
        for name in existing.keys() & (case.path_parameters or {}).keys():
            if whose is not None:
                case.path_parameters[name] = existing[name][whose]
        origin = stack.stream_url if case.path == STREAM_PATH else stack.api_url
        return case.call(base_url=origin, headers=headers, timeout=20)

    return call


def with_rules_no_schema_can_say(case: Any) -> Any:
    """A brainstorm's proportions add up, one to each of its paths, which all differ."""
    body = case.body
    if case.path == "/ideations" and isinstance(body, dict) and "genrePaths" in body:
        paths = [[f"{number} {path[0]}"[:60], *path[1:]] for number, path in enumerate(body["genrePaths"])]
        body |= {"genrePaths": paths, "genreProportions": [100 / len(paths)] * len(paths)}
    return case


def has_input(method: str, path: str) -> bool:
    """Whether there is more to vary than the path."""
    operation = SCHEMA[path][method]
    return bool(len(operation.body) or len(operation.query))


def cases(method: str, path: str, mode: Any) -> Any:
    good = mode is schemathesis.GenerationMode.POSITIVE
    drawn = SCHEMA[path][method].as_strategy(generation_mode=mode)
    return drawn.map(with_rules_no_schema_can_say) if good else drawn


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_caller_gets_only_answers_that_are_described(
    send: Callable[..., Any], caller: ApiUser, method: str, path: str, mode: Any
) -> None:
    statuses: set[int] = set()

    @settings(bounded, max_examples=40 if has_input(method, path) else 20)
    @given(case=cases(method, path, mode), whose=st.sampled_from([None, REAL, FOREIGN]))
    def check(case: Any, whose: str | None) -> None:
        answer = send(case, whose, {"Authorization": f"Bearer {caller.token}"})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[*CHECKS, *([negative_data_rejection] if whose is None else [])])

    check()
    if mode is schemathesis.GenerationMode.POSITIVE:
        assert statuses - {404, 422}, "nothing but refusals of its input was tried"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_token_there_is_only_the_refusal(send: Callable[..., Any], method: str, path: str) -> None:
    @settings(bounded, max_examples=15)
    @given(case=cases(method, path, MODES[0]) | cases(method, path, MODES[1]), whose=st.sampled_from([None, REAL]))
    def check(case: Any, whose: str | None) -> None:
        answer = send(case, whose, {})
        # A path that fits no route, and on the stream an input that breaks a rule, are seen before the missing token.
        assert answer.status_code in {401, 404, 422}
        case.validate_response(answer, checks=CHECKS)

    check()


def test_the_events_of_a_stream_fit_their_schemas(caller: ApiUser, job_ids: dict[str, str]) -> None:
    events = caller.watch(job_ids[REAL])

    for event in events:
        STREAM_EVENT.validate_python(event.data)
    assert events[-1].type == "complete"
