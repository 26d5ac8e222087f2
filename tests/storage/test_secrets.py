"""A secret is read once a minute, and a secret without a value is told apart from one that cannot be reached."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import StorageUnavailable
from shared.storage import aws, secrets
from shared.storage.secrets import (
    KEPT_SECONDS,
    REFETCHED_SECONDS,
    SecretWithoutValue,
    forget_secrets,
    secret,
    secret_changed,
    secrets_to_check,
)
from tests.storage.ports import AwsServer


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    forget_secrets()
    yield
    forget_secrets()


class Clock:
    """The process's clock in the module under test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr(secrets, "time", SimpleNamespace(monotonic=lambda: self.seconds))


class OutOfReach:
    def get_secret_value(self, **_: object) -> Any:
        from botocore.exceptions import ConnectTimeoutError  # noqa: PLC0415

        raise ConnectTimeoutError(endpoint_url="http://nowhere")


class Stored:
    """Secrets Manager with one secret; counts the requests."""

    def __init__(self, **response: Any) -> None:
        self.response = response
        self.asked = 0

    def get_secret_value(self, **_: object) -> Any:
        self.asked += 1
        return self.response


def test_a_secret_is_fetched_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, manager = Clock(monkeypatch), Stored(SecretString="first")
    monkeypatch.setattr(aws, "client", lambda _service: manager)
    assert secret("arn") == "first"
    manager.response = {"SecretString": "second"}
    clock.seconds += KEPT_SECONDS - 1
    assert (secret("arn"), manager.asked) == ("first", 1)
    clock.seconds += 1
    assert (secret("arn"), manager.asked) == ("second", 2)


def test_a_kept_secret_is_used_while_secrets_manager_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(aws, "client", lambda _service: Stored(SecretString="first"))
    assert secret("arn") == "first"
    clock.seconds += KEPT_SECONDS
    monkeypatch.setattr(aws, "client", lambda _service: OutOfReach())
    assert secret("arn") == "first"


def test_an_unreachable_secrets_manager_is_a_transient_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "client", lambda _service: OutOfReach())
    with pytest.raises(StorageUnavailable):
        secret("arn:out-of-reach")


def test_a_secret_that_was_never_filled_has_no_value_until_it_is(moto: AwsServer) -> None:
    manager = moto.client("secretsmanager")
    arn = manager.create_secret(Name="empty-secret")["ARN"]
    with pytest.raises(SecretWithoutValue):
        secret(arn)
    manager.put_secret_value(SecretId=arn, SecretString="filled")
    assert secret(arn) == "filled"


def test_a_binary_secret_has_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "client", lambda _service: Stored(SecretBinary=b"\x00"))
    with pytest.raises(SecretWithoutValue):
        secret("arn")


def test_a_rotated_secret_is_checked_with_the_one_before_and_a_newer_one(
    moto: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, manager = Clock(monkeypatch), moto.client("secretsmanager")
    arn = manager.create_secret(Name="rotated", SecretString="first")["ARN"]
    assert list(secrets_to_check(arn)) == ["first"]
    manager.put_secret_value(SecretId=arn, SecretString="second")
    assert list(secrets_to_check(arn)) == ["first"]
    clock.seconds += REFETCHED_SECONDS
    # Another process may have signed with the second secret already.
    assert list(secrets_to_check(arn)) == ["first", "second"]
    assert list(secrets_to_check(arn)) == ["second", "first"]
    forget_secrets()
    assert list(secrets_to_check(arn)) == ["second", "first"]


def test_checking_signatures_causes_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, manager = Clock(monkeypatch), Stored(SecretString="only")
    monkeypatch.setattr(aws, "client", lambda _service: manager)
    for _ in range(100):
        list(secrets_to_check("arn"))
    assert manager.asked == 2
    clock.seconds += REFETCHED_SECONDS
    for _ in range(100):
        list(secrets_to_check("arn"))
    assert manager.asked == 3


def test_a_secret_that_does_not_fit_is_fetched_again_after_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, manager = Clock(monkeypatch), Stored(SecretString="first")
    monkeypatch.setattr(aws, "client", lambda _service: manager)
    assert not secret_changed("arn")
    manager.response = {"SecretString": "second"}
    assert not secret_changed("arn")
    clock.seconds += REFETCHED_SECONDS
    assert secret_changed("arn")
    assert secret("arn") == "second"
