"""The server and both implementations of the ports, as fixtures."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from local.credentials import aws_environment, without_real_credentials
from shared.storage import aws
from tests.integration.storage.ports import ROOT, MotoServer, Ports, adapters, create_resources, fakes


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environment = {**without_real_credentials(os.environ), **aws_environment(url)}
    with listener:
        command = [sys.executable, "-m", "local.aws", "--fd", str(listener.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
    try:
        # The socket listens already: the request waits until the server takes it up.
        urllib.request.urlopen(f"{url}/_millrace/healthz", timeout=60).close()
        with pytest.MonkeyPatch.context() as variables:
            for name, value in aws_environment(url).items():
                variables.setenv(name, value)
            server = MotoServer(url)
            create_resources(server)
            server.client("secretsmanager")  # the last one: the variables are gone when the tests run
        yield server
        for client in server.clients.values():
            client.close()
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def moto(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> MotoServer:
    """The server, with the product's adapters pointed at it for the length of one test."""
    monkeypatch.setattr(aws, "client", moto_server.client)
    return moto_server


@pytest.fixture(params=["fakes", "adapters"])
def ports(request: pytest.FixtureRequest) -> Ports:
    """Every test that asks for this runs over both: a fake that behaves otherwise than its adapter is found out."""
    return fakes() if request.param == "fakes" else adapters(request.getfixturevalue("moto"))


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    """A user of this test alone: the table is shared."""
    return f"ada of {request.node.name}"
