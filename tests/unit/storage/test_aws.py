"""The AWS clients: their settings, endpoints and lazy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from shared.storage import aws

FRESH = """
import sys
import shared.storage.jobs, shared.storage.event_log, shared.storage.checkpoints, shared.storage.records
import shared.storage.executions, shared.storage.secrets
assert not {"boto3", "botocore"} & set(sys.modules)
"""


def test_a_client_is_made_once_with_short_timeouts_and_a_large_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    aws.client.cache_clear()
    try:
        made = aws.dynamodb()
        assert aws.dynamodb() is made
        config: Any = made.meta.config
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (2, 10, 50)
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}
        assert aws.s3().meta.service_model.service_name == "s3"
    finally:
        aws.client.cache_clear()


CALLS: dict[str, Callable[[Any], Any]] = {
    "dynamodb": lambda client: client.get_item(TableName="t", Key={"PK": {"S": "a"}}),
    "s3": lambda client: client.get_object(Bucket="a-bucket", Key="k"),
    "stepfunctions": lambda client: client.describe_execution(executionArn="arn:aws:states:x:1:execution:m:e"),
    "secretsmanager": lambda client: client.get_secret_value(SecretId="s"),
}


def sent(session: Session, service: str) -> tuple[str, ...]:
    """Return the URL and signing scope of the client's request, or the error if it sends none."""
    seen: list[tuple[str, ...]] = []

    def record(request: Any, **_: Any) -> Any:
        authorization = str(request.headers["Authorization"])
        scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")[2:]
        seen.append((request.url, "/".join(scope)))
        return AWSResponse(request.url, 400, HTTPHeaders(), None)

    client = session.create_client(service)
    client.meta.events.register("before-send", record)
    try:
        CALLS[service](client)
    except BotoCoreError as error:
        seen.append((str(error),))
    except (ClientError, AttributeError):  # raised for the empty response
        pass
    [first] = seen
    return first


@pytest.mark.parametrize("service", aws.SERVICES)
@pytest.mark.parametrize("fips", ["false", "true"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
def test_requests_have_the_same_endpoint_and_scope_as_with_botocores_own_session(
    service: str, fips: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", fips)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    aws._session.cache_clear()
    try:
        assert sent(aws._session(), service) == sent(Session(), service)
    finally:
        aws._session.cache_clear()


def test_boto3_is_imported_at_the_first_client() -> None:
    process = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
