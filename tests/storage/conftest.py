"""Fixtures: the servers and every implementation of the ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.aws.credentials import aws_environment, without_real_credentials
from local.stack import unmeasured
from shared.storage import aws
from tests.dynamodb_local.engine import DynamoDbLocal, missing
from tests.patience import PATIENCE
from tests.storage.ports import ROOT, AwsServer, Ports, adapters, create_resources, create_tables, fakes

ENGINES = ["moto"] if missing() else ["moto", "dynamodb_local"]
"""The servers of the adapters; `test_dynamodb_local.py` says why the second is left out."""


@pytest.fixture(scope="session")
def moto_server() -> Iterator[AwsServer]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environment = unmeasured({**without_real_credentials(os.environ), **aws_environment(url)})
    with listener:
        command = [sys.executable, "-m", "local.aws.server", "--fd", str(listener.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
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
def dynamodb_local_server(moto_server: AwsServer) -> Iterator[AwsServer]:
    """DynamoDB Local for DynamoDB, and moto for all other services."""
    with DynamoDbLocal() as engine:
        with pytest.MonkeyPatch.context() as variables:
            for name, value in aws_environment(engine.url).items():
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
