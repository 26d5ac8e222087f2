"""The fixtures with the local stack, which starts once and serves all tests, each with its own users."""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

import local.stack
from local.loopback import PROXY_VARIABLES
from local.model.control import ModelControl
from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import OTHER_ORIGIN, STREAM_LEASE_SECONDS, STREAM_WINDOW_SECONDS, ApiUser
from tests.patience import ALLOWANCE, PATIENCE, WITHOUT_TOKEN_TIMEOUT
from tests.shared_by_workers import SharedByWorkers
from tests.stack_forks import StackForks

pytest_plugins = [
    "tests.fixtures.unit",
    "tests.fixtures.functions",
    "tests.fixtures.artefacts",
]

# No test leaves this machine, so no test needs the proxies of its environment.
for name in PROXY_VARIABLES:
    os.environ.pop(name, None)

# httpx's own limit of 5 s is for a machine at rest.
vars(httpx._config.DEFAULT_TIMEOUT_CONFIG).update(vars(httpx.Timeout(PATIENCE)))

# No deadline, because the time of an example depends on the other processes of the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let `--no-cov` leave pytest-cov out: it pauses its measurement for `no_cover`, also if it has started none."""
    plugin = config.pluginmanager.get_plugin("_cov")
    if plugin is not None and config.getoption("no_cov"):
        config.pluginmanager.unregister(plugin)


_shared = pytest.StashKey[SharedByWorkers]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each worker of pytest-xdist what all of them share."""
    shared = node.config.stash.get(_shared, None)
    if shared is None:
        shared = node.config.stash[_shared] = SharedByWorkers(node.config.args)
        node.config.add_cleanup(shared.close)
    node.workerinput |= shared.workerinput


def pytest_collection_finish() -> None:
    """Leave modules and collected tests, most of this process's objects, out of every later garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in property tests: a hundred examples take twice as long, and run lines of other tests."""
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def _no_certificates() -> Iterator[None]:
    """Trust no certificate: no test uses TLS, and each HTTP client would load all of them, in 25 ms of CPU."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def stack_forks(request: pytest.FixtureRequest) -> Iterator[StackForks]:
    """Fork the processes of all stacks from one, which imports their modules once: they are most of a stack's start."""
    forks = StackForks(getattr(request.config, "workerinput", {}).get("stack_forks"))
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(local.stack, "start_process", forks.start)
        yield forks
    forks.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """The stack as deployed, but without a limit of creations, with shorter leases and heartbeats, and long streams."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STREAM_LEASE_SECONDS", str(STREAM_LEASE_SECONDS))
        environment.setenv("HEARTBEAT_SECONDS", "1")
        started = LocalStack(
            environment={
                **WITHOUT_RATE_LIMITS,
                **WITHOUT_TOKEN_TIMEOUT,
                "WEBHOOK_WAITS": "0,0,300",
                "ERASURE_SETTLE_SECONDS": "1",
                "STREAM_WINDOW_SECONDS": str(STREAM_WINDOW_SECONDS),
            },
            origins=[OTHER_ORIGIN],
            allowance=ALLOWANCE,
        )
        started.start()
    try:
        yield from _check_refused_accesses(started)
    finally:
        started.stop()


@pytest.fixture(scope="session")
def hurried_stack() -> Iterator[LocalStack]:
    """A stack whose connections last 1 s, with the deployed limits per minute."""
    with LocalStack(
        environment={"STREAM_WINDOW_SECONDS": "1", **WITHOUT_TOKEN_TIMEOUT}, allowance=ALLOWANCE
    ) as started:
        yield from _check_refused_accesses(started)


def _check_refused_accesses(stack: LocalStack) -> Iterator[LocalStack]:
    """Fail if a role was refused an access, also when its function only logged the refusal."""
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
    """Create users of `stack`, each of them new, so that tests share no data."""
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
