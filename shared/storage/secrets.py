"""Secrets from Secrets Manager, fetched once per process."""

from __future__ import annotations

import functools

from shared.storage.aws import secretsmanager, storage_faults


@functools.cache
def secret(arn: str) -> str:
    """The secret's text. Raises StorageUnavailable when it cannot be fetched."""
    with storage_faults():
        return secretsmanager().get_secret_value(SecretId=arn)["SecretString"]
