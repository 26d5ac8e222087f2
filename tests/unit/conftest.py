"""Unit tests talk to nobody: sockets are off, but for the pair by which an asyncio loop wakes itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


def pytest_runtest_setup(item: pytest.Item) -> None:
    disable_socket(allow_unix_socket=True)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    enable_socket()


@pytest.fixture(scope="session", autouse=True)
def _telemetry_names() -> Iterator[None]:
    """Names without which Powertools writes no metrics; template.yaml sets them where the functions run."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("POWERTOOLS_SERVICE_NAME", "millrace")
        environment.setenv("POWERTOOLS_METRICS_NAMESPACE", "Millrace")
        yield
