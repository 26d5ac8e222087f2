"""Fixtures: the servers and every implementation of the ports."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.aws.credentials import aws_environment, without_real_credentials
from local.stack import unmeasured
from shared.storage import aws
from tests.dynamodb_local.engine import DynamoDbLocal, engine_of_run, missing
from tests.patience import PATIENCE
from tests.stack_forks import StackForks
from tests.storage.ports import ROOT, AwsServer, Ports, adapters, create_resources, create_tables, fakes

ENGINES = ["moto"] if missing() else ["moto", "dynamodb_local"]
"""The servers of the adapters; `test_dynamodb_local.py` says why the second is left out."""


@pytest.fixture(scope="session")
def moto_server(stack_forks: StackForks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environment = {**without_real_credentials(os.environ), **aws_environment(url), "PYTHONPATH": str(ROOT)}
    log = tmp_path_factory.mktemp("moto") / "log"
    with listener, log.open("wb") as output:
        process = stack_forks.start(["local.aws.server", "--fd"], unmeasured(environment), output, listener)
    try:
        # The socket already listens, so the request waits until the server accepts it.
        urllib.request.urlopen(f"{url}/_millrace/healthz", timeout=PATIENCE).close()
        with pytest.MonkeyPatch.context() as variables:
            for name, value in aws_environment(url).items():
                variables.setenv(name, value)
            server = AwsServer(url)
            create_resources(server)
            server.clients["sqs"] = aws.sqs.__wrapped__()
            server.client("secretsmanager")  # the last AWS client: the variables are unset when the tests run
        yield server
        for client in server.clients.values():
            client.close()
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


@pytest.fixture(scope="session")
def dynamodb_local_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """DynamoDB Local, which the workers of a run share: its start takes eight seconds of CPU."""
    folder = getattr(request.config, "workerinput", {}).get("dynamodb_local")
    if folder is not None:
        yield engine_of_run(Path(folder))
        return
    with DynamoDbLocal() as engine:
        yield engine.url


@pytest.fixture(scope="session")
def dynamodb_local_server(moto_server: AwsServer, dynamodb_local_url: str) -> Iterator[AwsServer]:
    """DynamoDB Local for DynamoDB, and moto for all other services."""
    with pytest.MonkeyPatch.context() as variables:
        for name, value in aws_environment(dynamodb_local_url).items():
            variables.setenv(name, value)
        dynamodb = aws.client.__wrapped__("dynamodb")
    create_tables(dynamodb)
    yield replace(moto_server, clients={**moto_server.clients, "dynamodb": dynamodb})
    dynamodb.close()


@pytest.fixture
def moto(moto_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """Moto, with the product's adapters using it during one test."""
    monkeypatch.setattr(aws, "client", moto_server.client)
    return moto_server


@pytest.fixture
def dynamodb_local(dynamodb_local_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """DynamoDB Local, with the product's adapters using it during one test."""
    monkeypatch.setattr(aws, "client", dynamodb_local_server.client)
    return dynamodb_local_server


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest) -> AwsServer:
    """Each server in turn, for tests that read the items of the table: they must be right on both."""
    found: AwsServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["fakes", *ENGINES])
def ports(request: pytest.FixtureRequest) -> Ports:
    """Each implementation in turn: the test fails if a fake and its adapter behave differently."""
    return fakes() if request.param == "fakes" else adapters(request.getfixturevalue(request.param))


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    """A user of this test only, because the tests share the table."""
    return f"ada of {request.node.name}"
