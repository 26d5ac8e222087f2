"""Clients."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from shared.storage import aws

FRESH = """
import sys
import shared.storage.jobs, shared.storage.event_log, shared.storage.checkpoints, shared.storage.records
import shared.storage.executions, shared.storage.secrets
assert not {"boto3", "botocore"} & set(sys.modules)
"""


def test_a_client_is_made_once_gives_up_soon_and_can_serve_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    aws.client.cache_clear()
    try:
        made = aws.dynamodb()
        assert aws.dynamodb() is made
        config: Any = made.meta.config
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (2, 10, 50)
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}
        assert aws.s3().meta.service_model.service_name == "s3"
    finally:
        aws.client.cache_clear()


def test_nothing_imports_boto3_before_it_is_needed() -> None:
    process = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
