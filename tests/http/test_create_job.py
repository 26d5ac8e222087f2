"""POST /jobs checks the body, the idempotency key and the rate limit, and starts the execution."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, broken_rules, data_of, refusal
from tests.apps.suggestions.requests import FIELDS

ABSENT = object()
EMOJI = "\N{PERSON IN LOTUS POSITION}"  # outside the basic plane: two UTF-16 units, one character


def body(**top: Any) -> dict[str, Any]:
    """Return a valid body with these changes; ABSENT leaves a field out."""
    fields = top.pop("input", {})
    return _without_absent({"pipeline": "suggestion", "input": _without_absent({**FIELDS, **fields}), **top})


def _without_absent(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not ABSENT}


TOO_LONG = "must have at most {} characters"
FEATURE_TYPES = "must be 'enhancement', 'new-capability', 'optimization', 'ui-improvement' or 'integration'"
PRIORITIES = "must be 'low', 'medium', 'high' or 'critical'"


@pytest.mark.parametrize(
    ("sent", "field", "rule"),
    [
        (body(input={"pageOrComponent": ABSENT}), "input.pageOrComponent", "is required"),
        (body(input={"pageOrComponent": ""}), "input.pageOrComponent", "must have at least 1 character"),
        (body(input={"pageOrComponent": " \t\n "}), "input.pageOrComponent", "must have at least 1 character"),
        (body(input={"pageOrComponent": "x" * 201}), "input.pageOrComponent", TOO_LONG.format(200)),
        (body(input={"pageOrComponent": EMOJI * 201}), "input.pageOrComponent", TOO_LONG.format(200)),
        (body(input={"pageOrComponent": None}), "input.pageOrComponent", "must be a valid string"),
        (body(input={"pageOrComponent": 7}), "input.pageOrComponent", "must be a valid string"),
        (body(input={"featureType": ABSENT}), "input.featureType", "is required"),
        (body(input={"featureType": "novelty"}), "input.featureType", FEATURE_TYPES),
        (body(input={"featureType": "Enhancement"}), "input.featureType", FEATURE_TYPES),
        (body(input={"priorityLevel": ABSENT}), "input.priorityLevel", "is required"),
        (body(input={"priorityLevel": "urgent"}), "input.priorityLevel", PRIORITIES),
        (body(input={"additionalContext": "x" * 1001}), "input.additionalContext", TOO_LONG.format(1000)),
        (body(input={"additionalContext": ["x"]}), "input.additionalContext", "must be a valid string"),
        (body(input={"customModel": "gpt-imaginary"}), "input.customModel", "must be one of: "),
        (body(input={"customModel": ""}), "input.customModel", "must have at least 1 character"),
        (body(input={"agentId": "agent-7"}), "input.agentId", "must be the id of one of your agents"),
        (body(input={"foo": 1}), "input.foo", "is not a known field"),
        (body(input={"page_or_component": "again"}), "input.page_or_component", "is not a known field"),
        (body(links={"session_id": "s"}), "links.session_id", "is not a known field"),
        (body(foo=1), "foo", "is not a known field"),
        (body(suggestion=1), "suggestion", "is not a known field"),
        (body(pipeline="opera"), "pipeline", "must be one of: 'ideation', "),
        (body(pipeline=ABSENT), "pipeline", "is required"),
        ({"pipeline": "suggestion"}, "input", "is required"),
        ({"pipeline": "suggestion", "input": "Checkout"}, "input", "must be an object"),
        (body(links={"sessionId": ""}), "links.sessionId", "must have at least 1 character"),
        (body(links={"projectId": "x" * 129}), "links.projectId", TOO_LONG.format(128)),
        (body(links={"owner": "me"}), "links.owner", "is not a known field"),
        (
            body(links={"runId": "run_01jd8x2v5n7k3q9w4t6y8z0abc"}),
            "links.runId",
            "must be the id of one of your runs; you have no run with this id",
        ),
        ([], "body", "must be an object"),
        (None, "body", "must be an object"),
    ],
)
def test_a_refusal_names_the_invalid_field_and_its_rule(user: ApiUser, sent: Any, field: str, rule: str) -> None:
    response = user.api.post("/jobs", content=_json(sent), headers={"Content-Type": "application/json"})

    found = broken_rules(response)

    assert found.keys() == {field}
    assert rule in found[field]
    assert response.json()["meta"]["operation"] == "create_job"
    assert user.jobs() == []


def test_a_refusal_names_every_invalid_field(user: ApiUser) -> None:
    response = user.api.post("/jobs", json=body(input={"featureType": "novelty", "priorityLevel": 3, "foo": 1}))

    assert broken_rules(response).keys() == {"input.featureType", "input.priorityLevel", "input.foo"}


@pytest.mark.parametrize("page", ["x", "x" * 200, EMOJI * 200, f"  {'x' * 200}  ", "a\x00b", "line\u2028break"])
def test_a_page_of_1_to_200_characters_is_accepted(user: ApiUser, page: str) -> None:
    job_id = data_of(user.create(pageOrComponent=page), 202)["jobId"]

    assert user.job(job_id)["input"]["pageOrComponent"] == page.strip(" ")


def test_a_job_uses_the_model_that_the_client_names(user: ApiUser) -> None:
    allowed = broken_rules(user.create(customModel="?"))["input.customModel"].removeprefix("must be one of: ")
    named = allowed.split(", ")[-1]

    job_id = data_of(user.create(customModel=named), 202)["jobId"]

    job = user.ended(job_id)
    assert job["model"] == named
    assert job["usage"]["costUsd"] is None, "the scripted model has no price, also under the name of a model that has"


def test_the_response_has_the_job_its_status_url_and_its_stream_url(user: ApiUser) -> None:
    response = user.create()

    job = data_of(response, 202)
    assert job["status"] == "pending"
    assert job["statusUrl"] == response.headers["location"] == f"{user.stack.api_url}/jobs/{job['jobId']}"
    assert job["streamUrl"] == f"{user.stack.stream_url}/jobs/{job['jobId']}/stream"
    assert response.json()["meta"]["entity"] == "job"


@pytest.mark.parametrize(
    "content",
    [b"{", b"{'pipeline': 'suggestion'}", b"\xff\xfe", b'{"pipeline": "suggestion"', b"[" * 30_000, b"9" * 5000],
)
def test_a_body_that_is_not_json_is_malformed(user: ApiUser, content: bytes) -> None:
    response = user.api.post("/jobs", content=content, headers={"Content-Type": "application/json"})

    refusal(response, 400, "MALFORMED_REQUEST")


def test_a_request_without_a_body_is_refused(user: ApiUser) -> None:
    assert broken_rules(user.api.post("/jobs")) == {"body": "is required"}


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", None])
def test_a_body_that_is_not_sent_as_json_is_refused(user: ApiUser, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    response = user.api.post("/jobs", content=_json(body()), headers=headers)

    refusal(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_api_accepts_json_with_a_charset(user: ApiUser) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}

    assert user.api.post("/jobs", content=_json(body()), headers=headers).status_code == 202


@pytest.mark.parametrize("size", [64 * 1024 + 1, 11 * 1024 * 1024])
def test_a_body_over_the_limit_is_too_large(user: ApiUser, size: int) -> None:
    content = b'"' + b"x" * (size - 2) + b'"'

    response = user.api.post("/jobs", content=content, headers={"Content-Type": "application/json"})

    refusal(response, 413, "PAYLOAD_TOO_LARGE")


def test_the_api_reads_a_body_of_exactly_the_limit(user: ApiUser) -> None:
    content = b'"' + b"x" * (64 * 1024 - 2) + b'"'

    response = user.api.post("/jobs", content=content, headers={"Content-Type": "application/json"})

    assert broken_rules(response).keys() == {"body"}


# ---- Idempotency-Key -------------------------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_returns_the_same_job(user: ApiUser) -> None:
    key = {"Idempotency-Key": "once"}

    first, second = (data_of(user.create(headers=key), 202) for _ in range(2))

    assert first == second
    assert user.jobs() == [first["jobId"]]


def test_concurrent_repeats_create_one_job(user: ApiUser) -> None:
    key = {"Idempotency-Key": "at once"}

    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: user.create(headers=key), range(4)))

    assert {response.status_code for response in responses} <= {202, 409}
    assert len(user.jobs()) == 1
    assert {data_of(response, 202)["jobId"] for response in responses if response.status_code == 202} == set(
        user.jobs()
    )


def test_a_used_key_with_another_body_is_refused(user: ApiUser) -> None:
    user.create(headers={"Idempotency-Key": "used"})

    response = user.create(headers={"Idempotency-Key": "used"}, priorityLevel="low")

    error = refusal(response, 422, "IDEMPOTENCY_KEY_REUSED")
    assert [each["field"] for each in error["details"]["fields"]] == ["Idempotency-Key"]
    assert len(user.jobs()) == 1


def test_two_users_can_use_the_same_key(new_user: Callable[[], ApiUser]) -> None:
    key = {"Idempotency-Key": "same"}

    first, second = (data_of(new_user().create(headers=key), 202)["jobId"] for _ in range(2))

    assert first != second


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_must_have_1_to_255_characters(user: ApiUser, key: str) -> None:
    assert broken_rules(user.create(headers={"Idempotency-Key": key})).keys() == {"Idempotency-Key"}


# ---- the limit and the execution -------------------------------------------------------------------------------------


def test_the_eleventh_creation_within_a_minute_is_refused_with_the_time_to_wait(hurried_user: ApiUser) -> None:
    for _ in range(3):
        broken_rules(hurried_user.create(featureType="refused, and not counted"))
    began = time.time()
    data_of(hurried_user.create(), 202)
    first_counted_by = time.time()

    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(lambda _: hurried_user.create(), range(14)))

    asked_at = time.time()
    refused = hurried_user.create()
    accepted = [response for response in responses if response.status_code == 202]
    assert len(accepted) == 9
    assert len(hurried_user.jobs(limit=100)) == 10
    error = refusal(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert error["retryable"] is True
    wait = int(refused.headers["retry-after"])
    assert error["details"]["retryAfterSeconds"] == wait
    # The first creation, somewhere between `began` and `first_counted_by`, leaves the window 60 s after it was made.
    earliest, latest = began + 60 - time.time(), first_counted_by + 60 - asked_at
    assert math.floor(earliest) <= wait <= math.ceil(latest)


def test_one_users_creations_do_not_limit_another_user(new_hurried_user: Callable[[], ApiUser]) -> None:
    busy, quiet = new_hurried_user(), new_hurried_user()
    while busy.create().status_code == 202:
        pass

    assert quiet.create().status_code == 202


@pytest.fixture
def no_state_machine(hurried_stack: LocalStack) -> Iterator[None]:
    """Delete the pipeline's state machine during the test."""
    states = hurried_stack.client("stepfunctions")
    arns = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    (arn,) = (each for each in arns if each.endswith("-suggestion"))
    machine = states.describe_state_machine(stateMachineArn=arn)
    states.delete_state_machine(stateMachineArn=arn)
    yield
    states.create_state_machine(**{key: machine[key] for key in ("name", "definition", "roleArn")})


@pytest.mark.usefixtures("no_state_machine")
def test_a_job_fails_if_its_execution_cannot_start(hurried_user: ApiUser) -> None:
    response = hurried_user.create()

    error = refusal(response, 503, "EXECUTION_NOT_STARTED")
    assert error["retryable"] is True
    job = hurried_user.job(error["details"]["jobId"])
    assert job["status"] == "failed"
    assert job["failure"]["code"] == "EXECUTION_NOT_STARTED"
    assert [event.type for event in hurried_user.watch(job["jobId"])] == ["connected", "error"]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
