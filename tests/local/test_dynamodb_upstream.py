"""Requests that the local AWS forwards to another server's DynamoDB."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from local.aws.server import Aws
from local.aws.upstream import Upstream


def test_a_forwarded_request_keeps_its_signature_and_date(monkeypatch: pytest.MonkeyPatch) -> None:
    forwarded: list[dict[str, str]] = []

    def post(
        _: Upstream, path: str, payload: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        forwarded.append(headers)
        return 200, [], b"{}"

    monkeypatch.setattr(Upstream, "post", post)
    signature = "AWS4-HMAC-SHA256 Credential=SomeRole/20261127/us-east-1/dynamodb/aws4_request, SignedHeaders=host"
    sent = {
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "Authorization": signature,
        "X-Amz-Date": "20261127T020000Z",
        "Content-Type": "application/x-amz-json-1.0",
    }
    response = Client(Aws(None, "http://127.0.0.1:1")).post("/", data="{}", headers=sent)
    assert response.status_code == 200
    [headers] = forwarded
    assert headers["X-Amz-Date"] == sent["X-Amz-Date"]
    assert headers["Authorization"].endswith("/20261127/us-east-1/dynamodb/aws4_request, SignedHeaders=host")
