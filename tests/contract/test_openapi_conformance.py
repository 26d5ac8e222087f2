"""Valid and invalid requests that Schemathesis generates get only responses that the OpenAPI document describes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.stack import LocalStack
from shared.log.events import parse_stream_event
from tests.api_user import DISCARDING_URL, ApiUser, data_of
from tests.applications import modules
from tests.contract.emulator import executions_replaced
from tests.patience import PATIENCE
from tools.openapi import DOCUMENT, STREAM_PATH

if TYPE_CHECKING:
    from schemathesis import BaseSchema, CheckFunction

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

PATHS: dict[str, dict[str, Any]] = json.loads(DOCUMENT.read_text())["paths"]
OPERATIONS = [
    (method.upper(), path)
    for path, item in PATHS.items()
    for method in item
    if method in {"get", "post", "patch", "delete"}
]
MODES = ["positive", "negative"]
REAL = "the caller's own"
FOREIGN = "somebody else's"
bounded = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@functools.cache
def schema() -> BaseSchema:
    """Load the document with Schemathesis, which is imported by those processes only that run these tests."""
    import schemathesis  # noqa: PLC0415 - it takes most of the time in which these tests are collected
    from schemathesis.checks import load_all_checks  # noqa: PLC0415
    from schemathesis.config import SchemathesisConfig  # noqa: PLC0415

    load_all_checks()
    config = {
        "generation": {"with-security-parameters": False, "allow-x00": True},
        "checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 409, 413, 415, 422]}},
    }
    return schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()), config=SchemathesisConfig.from_dict(config))


def checks(*, must_refuse: bool = False) -> list[CheckFunction]:
    """Return the checks of every response; `must_refuse` adds the one that a wrong request is refused."""
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415
    from schemathesis.specs.openapi import checks as of_openapi  # noqa: PLC0415

    always = [
        not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.content_type_conformance,
        of_openapi.response_headers_conformance,
        of_openapi.response_schema_conformance,
    ]
    return [*always, of_openapi.negative_data_rejection] if must_refuse else always


def test_the_tests_call_every_operation_of_the_document() -> None:
    from schemathesis.core.result import Ok  # noqa: PLC0415

    found = [each.ok() for each in schema().get_all_operations() if isinstance(each, Ok)]

    assert sorted(OPERATIONS) == sorted((each.method.upper(), each.path) for each in found)


@pytest.fixture(scope="module")
def caller(stack: LocalStack) -> Iterator[ApiUser]:
    user = ApiUser(stack)
    yield user
    user.close()


def finished_job(user: ApiUser) -> str:
    """Create a job whose stream ends."""
    job_id = user.new_job()
    user.watch(job_id)
    return job_id


def a_delivery(user: ApiUser) -> str:
    """Send a test event to the user's newest webhook and return the id of its delivery."""
    newest = data_of(user.api.get("/webhooks"))["webhooks"][0]
    return str(data_of(user.api.post(f"/webhooks/{newest['webhookId']}/test"), 202)["deliveryId"])


def an_erasure(user: ApiUser) -> str:
    return str(data_of(user.api.delete("/me/data", params={"confirm": "erase"}), 202)["erasureId"])


EXISTING: dict[str, Callable[[ApiUser], str]] = {
    "jobId": finished_job,
    "agentId": ApiUser.new_agent,
    "webhookId": ApiUser.new_webhook,
    "deliveryId": a_delivery,
}
"""Parameter of a path → the function that creates its resource."""
for application in modules("openapi"):
    EXISTING |= application.EXISTING


@dataclass(frozen=True)
class Made:
    """The created resources by their path parameter; the spare ones are for operations that delete."""

    shared: dict[str, dict[str, str]]
    spare: dict[str, list[str]]
    erased: ApiUser
    """The user who sends the requests about erasures: an owner who is being erased may store nothing."""

    def ids_for(self, method: str, path: str) -> dict[str, dict[str, str]]:
        ids = {name: dict(each) for name, each in self.shared.items() if f"{{{name}}}" in path}
        if method == "DELETE":
            for name, each in ids.items():
                each[REAL] = self.spare[name].pop()
        return ids


@pytest.fixture(scope="module")
def made(stack: LocalStack, caller: ApiUser) -> Iterator[Made]:
    """Create the resources that paths name, then make executions end at once, so that no generated job runs."""
    stranger = ApiUser(stack)
    shared = {name: {REAL: make(caller), FOREIGN: make(stranger)} for name, make in EXISTING.items()}
    deleted = {name for name in EXISTING for method, path in OPERATIONS if method == "DELETE" and f"{{{name}}}" in path}
    spare = {name: [EXISTING[name](caller) for _ in [*MODES, "without a token"]] for name in deleted}
    erased = ApiUser(stack)
    with executions_replaced(stack, {"Type": "Succeed"}):
        shared["erasureId"] = {REAL: an_erasure(erased), FOREIGN: an_erasure(stranger)}
        yield Made(shared, spare, erased)
    stranger.close()
    erased.close()


@pytest.fixture
def send(request: pytest.FixtureRequest, stack: LocalStack, made: Made) -> Callable[..., Any]:
    """Send a case to the origin of its operation, unchanged or with the id of an existing job, agent or run."""
    existing = made.ids_for(request.getfixturevalue("method"), request.getfixturevalue("path"))

    def call(case: Any, whose: str | None, headers: dict[str, str]) -> Any:
        for name in existing.keys() & (case.path_parameters or {}).keys():
            if whose is not None:
                case.path_parameters[name] = existing[name][whose]
        origin = stack.stream_url if case.path == STREAM_PATH else stack.api_url
        return case.call(base_url=origin, headers=headers, timeout=PATIENCE)

    return call


def with_rules_no_schema_can_say(case: Any) -> Any:
    """Correct what the schemas of a query, a header or a body cannot express, and let each application do so."""
    if case.path.startswith("/webhooks") and isinstance(case.body, dict):
        case.body.pop("pipelines", None)
        case.body.pop("cursor", None)  # only one of an earlier response is taken
        if "url" in case.body:
            case.body["url"] = DISCARDING_URL
        if "since" in case.body:
            case.body["since"] = datetime.now(UTC).isoformat()  # at most 30 days ago
    for application in modules("openapi"):
        application.follow_rules(case)
    return case


def places_of_input(method: str, path: str) -> set[str]:
    """Return where a request to the operation has input: in its path, query, header or body."""
    operation = PATHS[path][method.lower()]
    places = {str(each["in"]) for each in operation.get("parameters", ())}
    return places | {"body"} if "requestBody" in operation else places


def has_input(method: str, path: str) -> bool:
    """Return whether the operation has more to vary than its path."""
    return bool(places_of_input(method, path) & {"query", "body"})


def has_padded_text(value: Any) -> bool:
    """Return whether a text begins or ends with white space: the API removes it, so the text may become valid."""
    match value:
        case str():
            return value != value.strip()
        case dict():
            return any(map(has_padded_text, value.values()))
        case list():
            return any(map(has_padded_text, value))
        case _:
            return False


def cases(method: str, path: str, mode: str) -> Any:
    from schemathesis import GenerationMode  # noqa: PLC0415

    drawn = schema()[path][method].as_strategy(generation_mode=GenerationMode(mode))
    return drawn.map(with_rules_no_schema_can_say) if mode == "positive" else drawn


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*each, mode) for mode in MODES for each in OPERATIONS if mode == "positive" or places_of_input(*each)],
)
def test_a_client_gets_only_responses_that_the_document_describes(
    send: Callable[..., Any], made: Made, caller: ApiUser, method: str, path: str, mode: str
) -> None:
    user = made.erased if path.startswith("/me/data") else caller
    statuses: set[int] = set()

    @settings(bounded, max_examples=25 if has_input(method, path) else 10)
    @given(case=cases(method, path, mode), whose=st.sampled_from([None, REAL, FOREIGN]))
    def check(case: Any, whose: str | None) -> None:
        answer = send(case, whose, {"Authorization": f"Bearer {user.token}"})
        statuses.add(answer.status_code)
        must_refuse = whose is None and not has_padded_text(case.body)
        case.validate_response(answer, checks=checks(must_refuse=must_refuse))

    check()
    if mode == "positive":
        assert statuses - {404, 422}, "nothing but refusals of its input was tried"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_client_without_a_token_gets_only_the_refusal(send: Callable[..., Any], method: str, path: str) -> None:
    # tests/http/test_authentication.py calls every route without a token; here the request's input varies.
    @settings(bounded, max_examples=4)
    @given(case=cases(method, path, "positive") | cases(method, path, "negative"), whose=st.sampled_from([None, REAL]))
    def check(case: Any, whose: str | None) -> None:
        answer = send(case, whose, {})
        # The API checks unknown paths, and on the stream invalid inputs, before the missing token.
        assert answer.status_code in {401, 404, 422}
        case.validate_response(answer, checks=checks())

    check()


def test_the_events_of_a_stream_match_their_schemas(caller: ApiUser, made: Made) -> None:
    events = caller.watch(made.shared["jobId"][REAL])

    for event in events:
        parse_stream_event(json.dumps(event.data))
    assert events[-1].type == "complete"
