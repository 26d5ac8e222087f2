"""Fetch secrets from Secrets Manager, and keep each for a minute, so that a corrected or rotated one is used soon."""

from __future__ import annotations

import time

from shared.errors import TransientFault
from shared.storage.aws import secretsmanager, storage_faults

KEPT_SECONDS = 60.0
"""How long a process uses a secret before it fetches it again."""

_kept: dict[str, tuple[str, float]] = {}


class SecretWithoutValue(LookupError):
    """The secret was never given a value, or not as text."""


def secret(arn: str) -> str:
    """Return the secret's text, fetched at most KEPT_SECONDS ago, or longer if Secrets Manager cannot be reached.

    Raises SecretWithoutValue, and the faults of `storage_faults`.
    """
    text, until = _kept.get(arn, ("", 0.0))
    now = time.monotonic()
    if arn not in _kept or now >= until:
        try:
            text = _fetch(arn)
        except TransientFault:
            if arn not in _kept:
                raise
        _kept[arn] = (text, now + KEPT_SECONDS)
    return text


def forget_secrets() -> None:
    """Fetch every secret again when it is next asked for."""
    _kept.clear()


def _fetch(arn: str) -> str:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - its import takes time

    try:
        with storage_faults():
            text = secretsmanager().get_secret_value(SecretId=arn).get("SecretString")
    except ClientError as error:
        # The response for a secret whose stack has been deployed, and into which nobody has put a value.
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        text = None
    if text is None:
        raise SecretWithoutValue(arn)
    return text
