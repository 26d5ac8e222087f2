"""Fetch secrets from Secrets Manager, and keep each for a minute, so that a corrected or rotated one is used soon."""

from __future__ import annotations

import time
from collections.abc import Iterator

from shared.errors import TransientFault
from shared.storage.aws import secretsmanager, storage_faults

KEPT_SECONDS = 60.0
"""How long a process uses a secret before it fetches it again."""

REFETCHED_SECONDS = 5.0
"""How long a process uses a secret that a signature does not fit, so that forged signatures cause few requests."""

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
"""Secrets Manager's labels of a secret's versions: a new value takes the first and moves the second to the old one."""

_kept: dict[tuple[str, str], tuple[str | None, float]] = {}


class SecretWithoutValue(LookupError):
    """The secret was never given a value, or not as text."""


def secret(arn: str) -> str:
    """Return the secret's text, fetched at most KEPT_SECONDS ago, or longer if Secrets Manager cannot be reached.

    Raises SecretWithoutValue, and the faults of `storage_faults`.
    """
    text = _kept_text(arn, CURRENT, KEPT_SECONDS)
    if text is None:
        raise SecretWithoutValue(arn)
    return text


def secret_changed(arn: str) -> bool:
    """Fetch the secret again, unless it was fetched at most REFETCHED_SECONDS ago; return whether it has changed.

    Raises the faults of `storage_faults`.
    """
    before = _kept.get((arn, CURRENT))
    after = _kept_text(arn, CURRENT, REFETCHED_SECONDS)
    return before is not None and after not in {before[0], None}


def secrets_to_check(arn: str) -> Iterator[str]:
    """Yield the texts with which something may have been signed: the secret, the one before, and a newer one.

    The newer one is fetched only if the caller asks for it, at most every REFETCHED_SECONDS. Raises as `secret` does.
    """
    current = secret(arn)
    yield current
    previous = _kept_text(arn, PREVIOUS, KEPT_SECONDS)
    if previous is not None:
        yield previous
    newer = _kept_text(arn, CURRENT, REFETCHED_SECONDS)
    if newer is not None and newer != current:
        yield newer


def forget_secrets() -> None:
    """Fetch every secret again when it is next asked for."""
    _kept.clear()


def _kept_text(arn: str, label: str, seconds: float) -> str | None:
    """Return the text of the version with this label, fetched at most `seconds` ago; None if there is none."""
    now = time.monotonic()
    kept = _kept.get((arn, label))
    if kept is not None and now - kept[1] < seconds:
        return kept[0]
    try:
        text = _fetch(arn, label)
    except TransientFault:
        if kept is None:
            raise
        text = kept[0]
    if label == CURRENT:
        if text is None:
            return None  # not kept, so that a value is used as soon as there is one
        if kept is not None and kept[0] != text:
            _kept[arn, PREVIOUS] = (kept[0], now)
    _kept[arn, label] = (text, now)
    return text


def _fetch(arn: str, label: str) -> str | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - its import takes time

    try:
        with storage_faults():
            found = secretsmanager().get_secret_value(SecretId=arn, VersionStage=label)
    except ClientError as error:
        # The response for a secret whose stack has been deployed, and which has no value yet.
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        return None
    return found.get("SecretString")
