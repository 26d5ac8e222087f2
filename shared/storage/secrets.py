"""Fetch secrets from Secrets Manager, once per process."""

from __future__ import annotations

import functools

from shared.storage.aws import secretsmanager, storage_faults


@functools.cache
def secret(arn: str) -> str:
    """Return the secret's text. Raises the faults of `storage_faults`."""
    with storage_faults():
        return secretsmanager().get_secret_value(SecretId=arn)["SecretString"]
