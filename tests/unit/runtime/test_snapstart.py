"""The SnapStart hooks, and what differs between the processes restored from one snapshot."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials

from shared.runtime import snapstart
from shared.storage import aws


@pytest.fixture(autouse=True)
def _new_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    for cache in (aws.client, aws._session):
        cache.cache_clear()
    yield
    for cache in (aws.client, aws._session):
        cache.cache_clear()


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replaces the module of Lambda's runtime; returns the hooks that were registered."""
    hooks = SimpleNamespace(before=[], after=[])
    module: Any = SimpleNamespace(
        register_before_snapshot=lambda hook, *given: hooks.before.append((hook, given)),
        register_after_restore=lambda hook, *given: hooks.after.append((hook, given)),
    )
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    return hooks


def run(hooks: list[Any]) -> None:
    for hook, given in hooks:
        hook(*given)


def test_install_registers_one_hook_before_the_snapshot_and_one_after_the_restore(runtime: SimpleNamespace) -> None:
    prepared = []
    snapstart.install(lambda: prepared.append("app"))
    assert prepared == []

    run(runtime.before)
    assert prepared == ["app"]
    run(runtime.after)
    assert prepared == ["app"]
    assert (len(runtime.before), len(runtime.after)) == (1, 1)


def test_install_does_nothing_outside_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)

    snapstart.install(lambda: pytest.fail("prepared"))


def test_a_restored_process_uses_the_clients_of_the_snapshot() -> None:
    snapstart.before_snapshot(lambda: None)
    made = [aws.client(service) for service in aws.SERVICES]
    assert aws.client.cache_info().misses == len(aws.SERVICES)

    snapstart.after_restore()

    assert [aws.client(service) for service in aws.SERVICES] == made
    assert aws.client.cache_info().misses == len(aws.SERVICES)


def test_restored_processes_draw_different_random_numbers() -> None:
    snapshot = random.getstate()
    numbers = []
    for _ in range(2):
        random.setstate(snapshot)
        snapstart.after_restore()
        numbers.append(random.random())

    assert numbers[0] != numbers[1]


def test_a_restored_process_fetches_new_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions with SnapStart fetch their credentials, and must fetch them again after a restore."""
    fetched: list[str] = []

    def fetch() -> dict[str, str]:
        fetched.append(f"key-{len(fetched)}")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return {"access_key": fetched[-1], "secret_key": "-", "token": "-", "expiry_time": later}

    credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "container-role")
    monkeypatch.setattr(aws._session()._session, "_credentials", credentials)
    snapstart.before_snapshot(lambda: None)
    assert aws.dynamodb()._request_signer._credentials is credentials  # type: ignore[attr-defined]
    assert credentials.get_frozen_credentials().access_key == "key-0"

    snapstart.after_restore()

    assert credentials.get_frozen_credentials().access_key == "key-1"
