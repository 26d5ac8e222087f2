"""The AWS clients: their settings, endpoints and lazy import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from boto3.session import Session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.loaders import Loader

from shared.storage import aws
from shared.storage.direct_requests import Connections, NoResponse, Response
from tests.layout import ROOT
from tests.patience import PATIENCE

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
        assert config.retries == {"mode": "standard", "total_max_attempts": 2}  # and one before botocore's
        other: Any = aws.s3().meta
        assert other.service_model.service_name == "s3"
        assert other.config.retries == {"mode": "standard", "total_max_attempts": 3}
    finally:
        aws.client.cache_clear()


@pytest.mark.parametrize(
    ("service", "incomplete", "is_sent"),
    [
        ("dynamodb", lambda client: client.get_item(TableName="t"), True),
        ("s3", lambda client: client.get_object(Bucket="a-bucket"), False),
    ],
)
def test_only_dynamodb_checks_the_shape_of_its_requests_itself(
    service: aws.Service,
    incomplete: Callable[[Any], Any],
    is_sent: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    sent_to: list[str] = []

    def refuse(params: Any, **_: Any) -> Any:
        sent_to.append(params["url"])
        return AWSResponse(params["url"], 400, HTTPHeaders(), None), {}

    monkeypatch.setattr(Connections, "post", Mock(side_effect=NoResponse(at_once=True)))
    aws.client.cache_clear()
    try:
        aws.client(service).meta.events.register("before-call", refuse)
        with pytest.raises((ParamValidationError, ClientError)):
            incomplete(aws.client(service))
    finally:
        aws.client.cache_clear()
    assert bool(sent_to) is is_sent


CALLS: dict[str, Callable[[Any], Any]] = {
    "dynamodb": lambda client: client.get_item(TableName="t", Key={"PK": {"S": "a"}}),
    "s3": lambda client: client.get_object(Bucket="a-bucket", Key="k"),
    "stepfunctions": lambda client: client.describe_execution(executionArn="arn:aws:states:x:1:execution:m:e"),
    "secretsmanager": lambda client: client.get_secret_value(SecretId="s"),
}


def sent(session: Session, service: aws.Service) -> tuple[str, ...]:
    """Return the URL and signing scope of the client's request, or the error if it sends none."""
    seen: list[tuple[str, ...]] = []

    def record(request: Any, **_: Any) -> Any:
        authorization = str(request.headers["Authorization"])
        scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")[2:]
        seen.append((request.url, "/".join(scope)))
        return AWSResponse(request.url, 400, HTTPHeaders(), None)

    client: Any = session.client(service)
    client.meta.events.register("before-send", record)
    try:
        CALLS[service](client)
    except BotoCoreError as error:
        seen.append((str(error),))
    except (ClientError, AttributeError):  # raised for the empty response
        pass
    [first] = seen
    return first


@pytest.mark.parametrize("fips", ["false", "true"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
def test_requests_have_the_same_endpoint_and_scope_as_with_a_plain_session(
    fips: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", fips)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    aws._session.cache_clear()
    try:
        ours, plain = aws._session(), Session()
        assert {each: sent(ours, each) for each in aws.SERVICES} == {each: sent(plain, each) for each in aws.SERVICES}
    finally:
        aws._session.cache_clear()


@pytest.mark.parametrize("fips", ["false", "true"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_direct_requests_go_where_botocore_sends_them(fips: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", fips)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    hosts: list[tuple[str, str]] = []

    def post(connections: Connections, headers: Mapping[str, str], _: bytes) -> Response:
        hosts.append((connections.host, headers["Authorization"].split("/")[2]))
        return Response(200, {}, b"{}")

    monkeypatch.setattr(Connections, "post", post)
    aws.client.cache_clear()
    aws._session.cache_clear()
    try:
        CALLS["dynamodb"](aws.dynamodb())
        CALLS["dynamodb"](aws.dynamodb())
        url, scope = sent(Session(), "dynamodb")
    finally:
        aws.client.cache_clear()
        aws._session.cache_clear()
    assert hosts == [(url.split("/")[2], scope.split("/")[0])] * 2


@pytest.mark.parametrize("service", aws.SERVICES)
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_a_session_reads_the_data_that_botocore_reads(service: str, kind: str) -> None:
    aws._session.cache_clear()
    try:
        loader: Any = aws._session()._session.get_component("data_loader")
        read = loader.load_service_model(service, kind)
        assert type(read) is dict
        assert json.dumps(read) == json.dumps(Loader().load_service_model(service, kind))
    finally:
        aws._session.cache_clear()


MADE = """
import sys
from shared.storage import aws
aws.make_clients()
assert "boto3" in sys.modules
assert "multiprocessing.managers" not in sys.modules
import boto3.s3.transfer, multiprocessing.managers, s3transfer.manager
assert issubclass(multiprocessing.managers.SyncManager, multiprocessing.managers.BaseManager)
assert issubclass(boto3.s3.transfer.TransferConfig, s3transfer.manager.TransferConfig)
"""


def test_clients_are_made_without_what_only_a_pool_of_processes_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    process = subprocess.run(
        [sys.executable, "-c", MADE], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert process.returncode == 0, process.stderr


def test_a_version_of_boto3_that_needs_more_of_the_empty_module_is_imported_with_the_real_one(tmp_path: Path) -> None:
    """Lambda's runtime brings its own version of boto3."""
    package = tmp_path / "boto3"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "session.py").write_text("from multiprocessing.managers import BaseManager, SyncManager as Session\n")
    program = "from shared.storage.aws_session import Session; print(Session.__name__)"
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (process.stdout, process.stderr) == ("SyncManager\n", "")


def test_boto3_is_imported_at_the_first_client() -> None:
    process = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert process.returncode == 0, process.stderr
