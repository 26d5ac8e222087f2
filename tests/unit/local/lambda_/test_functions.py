"""The host that runs functions in threads, with Lambda's contexts, statuses and errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import Deployment
from local.lambda_.functions import Outcome, ThreadHost
from shared.storage import aws

SMALL = Path(__file__).resolve().parents[4] / "tests/local/stack/template.yaml"
PARAMETERS = {"OidcIssuer": "http://issuer", "OidcAudience": "audience"}


def deployment(tmp_path: Path, **changes: Any) -> Deployment:
    given = {"environment": {}, "parameters": PARAMETERS, **changes}
    return Deployment(
        template_file=str(SMALL),
        aws_url="http://aws",
        api_url="http://api",
        log_directory=str(tmp_path),
        attributes={"WatchFunctionUrl.FunctionUrl": "http://stream"},
        **given,
    )


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadHost]:
    monkeypatch.syspath_prepend(str(SMALL.parent))
    before = dict(os.environ)
    yield ThreadHost(deployment(tmp_path))
    os.environ.clear()
    os.environ.update(before)


def invoke(host: ThreadHost, event: dict[str, Any], name: str = "millrace-work") -> tuple[Outcome, Any]:
    outcome = host.invoke(name, json.dumps(event).encode())
    return outcome, json.loads(outcome.payload)


def test_a_handler_gets_its_event_and_a_context_like_lambdas(host: ThreadHost) -> None:
    outcome, result = invoke(host, {"do": "succeed"})
    assert (outcome.status, outcome.function_error) == (200, None)
    assert result["functionName"] == "millrace-work"
    assert result["requestId"] == outcome.request_id
    assert result["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:millrace-work"
    assert result["memory"] == "256"
    assert 0 < result["remaining"] <= 300_000


@pytest.mark.parametrize(
    "name",
    [
        "millrace-work:live",
        "arn:aws:lambda:us-east-1:123456789012:function:millrace-work",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Amillrace-work%3Alive",
        "123456789012:function:millrace-work",
    ],
)
def test_a_function_is_found_by_every_form_of_its_name(host: ThreadHost, name: str) -> None:
    assert invoke(host, {}, name)[0].status == 200


def test_an_unknown_function_is_resource_not_found(host: ThreadHost) -> None:
    outcome, _ = invoke(host, {}, "millrace-nothing")
    assert (outcome.status, outcome.error_type) == (404, "ResourceNotFoundException")


def test_the_result_of_an_exception_has_its_class_name(host: ThreadHost) -> None:
    outcome, result = invoke(host, {"do": "break"})
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert (result["errorType"], result["errorMessage"]) == ("Broken", "permanently")
    assert "in handler" in result["stackTrace"][0]
    assert ("X-Amz-Function-Error", "Unhandled") in outcome.headers()


def test_a_result_that_is_not_json_is_a_marshal_error(host: ThreadHost) -> None:
    assert invoke(host, {"do": "unserialisable"})[1]["errorType"] == "Runtime.MarshalError"


def test_an_event_over_six_megabytes_is_refused(host: ThreadHost) -> None:
    outcome, _ = invoke(host, {"padding": "x" * 6 * 1024 * 1024})
    assert (outcome.status, outcome.error_type) == (413, "RequestTooLargeException")


def test_functions_that_disagree_about_a_variable_cannot_share_a_process(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    one = "{Type: AWS::Serverless::Function, Properties: {CodeUri: a, Handler: a.h, Environment: {Variables: {V: %s}}}}"
    file.write_text(f"Resources: {{A: {one % 1}, B: {one % 2}}}")
    settings = Deployment(str(file), "http://aws", "http://api", str(tmp_path))
    with pytest.raises(ValueError, match="A and B set V to different values"):
        ThreadHost(settings)


def test_a_stack_with_an_allowance_has_longer_time_limits(tmp_path: Path) -> None:
    limits = {each.name: each.timeout for each in deployment(tmp_path, allowance=20).functions}
    assert (limits["millrace-work"], limits["millrace-hasty"]) == (6000, 20)


def test_functions_of_a_stack_with_an_allowance_wait_longer_for_aws(
    host: ThreadHost,  # it restores the environment
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws, "READ_SECONDS", 10.0)
    ThreadHost(deployment(tmp_path, allowance=20))
    assert aws.READ_SECONDS == 200.0


def test_an_override_of_a_variable_that_no_function_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GREETNIG"):
        deployment(tmp_path, environment={"GREETNIG": "x"}).refuse_unknown_overrides()
