"""Snapshots: what the hooks are, and what is another in every process that comes of one."""

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
def _own_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    """In place of the module that Lambda's runtime brings."""
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


def test_the_runtime_is_given_one_hook_for_before_and_one_for_after(runtime: SimpleNamespace) -> None:
    prepared = []
    snapstart.install(lambda: prepared.append("app"))
    assert prepared == []

    run(runtime.before)
    assert prepared == ["app"]
    run(runtime.after)
    assert prepared == ["app"]
    assert (len(runtime.before), len(runtime.after)) == (1, 1)


def test_where_there_is_no_such_runtime_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)

    snapstart.install(lambda: pytest.fail("prepared"))


def test_a_snapshot_holds_the_clients_of_every_service_and_a_restored_process_has_the_same_ones() -> None:
    snapstart.before_snapshot(lambda: None)
    made = [aws.client(service) for service in aws.SERVICES]
    assert aws.client.cache_info().misses == len(aws.SERVICES)

    snapstart.after_restore()

    assert [aws.client(service) for service in aws.SERVICES] == made
    assert aws.client.cache_info().misses == len(aws.SERVICES)


def test_processes_that_come_of_one_snapshot_roll_different_dice() -> None:
    snapshot = random.getstate()
    rolls = []
    for _ in range(2):
        random.setstate(snapshot)
        snapstart.after_restore()
        rolls.append(random.random())

    assert rolls[0] != rolls[1]


def test_credentials_of_the_snapshot_are_not_used_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda gives functions with SnapStart credentials that are fetched, and have to be fetched again."""
    fetched: list[str] = []

    def fetch() -> dict[str, str]:
        fetched.append(f"key-{len(fetched)}")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return {"access_key": fetched[-1], "secret_key": "-", "token": "-", "expiry_time": later}

    credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "container-role")
    monkeypatch.setattr(aws._session(), "_credentials", credentials)
    snapstart.before_snapshot(lambda: None)
    assert aws.dynamodb()._request_signer._credentials is credentials  # type: ignore[attr-defined]
    assert credentials.get_frozen_credentials().access_key == "key-0"

    snapstart.after_restore()

    assert credentials.get_frozen_credentials().access_key == "key-1"
