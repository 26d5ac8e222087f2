"""Credentials without any rights: moto requires some, and no process of the stack may have real ones."""

from __future__ import annotations

import os
from collections.abc import Mapping

from local.template.intrinsics import REGION

DUMMY_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}

_OWN = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    # A developer's own profile may set endpoints or a region.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def aws_environment(aws_url: str, *, role: str | None = None) -> dict[str, str]:
    """Return the variables that make boto3 call the local stack only. The name of the role is its access key."""
    own = {} if role is None else {"AWS_ACCESS_KEY_ID": role}
    return {**_OWN, **own, "AWS_ENDPOINT_URL": aws_url}


def without_real_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that give access to a real account or a real model."""
    return {name: value for name, value in environment.items() if not name.startswith(("AWS_", "OPENAI_"))}
