"""The local stack for every test that speaks HTTP: started once, shared by users who know nothing of each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from local.loopback import PROXY_VARIABLES
from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import ApiUser

pytest_plugins = [
    "tests.fixtures.unit",
    "tests.fixtures.functions",
    "tests.fixtures.artefacts",
]

# No test leaves this machine, so none needs the proxies of the environment that it runs in.
for name in PROXY_VARIABLES:
    os.environ.pop(name, None)

# How long an example takes tells of what else the machine is doing, such as the other worker.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """As deployed, but for the limit of creations; leases and heartbeats are short, to be seen in a test's time."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STREAM_LEASE_SECONDS", "3")
        environment.setenv("HEARTBEAT_SECONDS", "1")
        started = LocalStack(environment={"JOB_CREATIONS_PER_MINUTE": "100000"})
        started.start()
    try:
        yield from _held_to_its_policies(started)
    finally:
        started.stop()


@pytest.fixture(scope="session")
def hurried_stack() -> Iterator[LocalStack]:
    """Time is short: connections last a second, finished jobs are kept for two. The limits are the deployed ones."""
    with LocalStack(environment={"STREAM_WINDOW_SECONDS": "1", "JOB_RETENTION_SECONDS": "2"}) as started:
        yield from _held_to_its_policies(started)


def _held_to_its_policies(stack: LocalStack) -> Iterator[LocalStack]:
    """Most of what a role was refused has failed a test; what its function only logs fails here."""
    yield stack
    assert stack.accesses()["refused"] == []


def _maker(stack: LocalStack) -> Iterator[Callable[[], ApiUser]]:
    users: list[ApiUser] = []

    def make() -> ApiUser:
        users.append(ApiUser(stack))
        return users[-1]

    yield make
    for user in users:
        user.close()


@pytest.fixture
def new_user(stack: LocalStack) -> Iterator[Callable[[], ApiUser]]:
    """Makes users of `stack`; each is new, so that tests do not meet."""
    yield from _maker(stack)


@pytest.fixture
def user(new_user: Callable[[], ApiUser]) -> ApiUser:
    return new_user()


@pytest.fixture
def new_hurried_user(hurried_stack: LocalStack) -> Iterator[Callable[[], ApiUser]]:
    yield from _maker(hurried_stack)


@pytest.fixture
def hurried_user(new_hurried_user: Callable[[], ApiUser]) -> ApiUser:
    return new_hurried_user()


@pytest.fixture
def model(stack: LocalStack) -> Iterator[ModelControl]:
    """The scripted model behind `stack`."""
    with ModelControl(stack.model_url) as control:
        yield control
