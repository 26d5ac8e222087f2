"""Calls the DynamoDB of a stack without boto3, whose client takes most of a call's CPU time."""

from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from local.template.intrinsics import REGION
from tests.patience import PATIENCE

_CREDENTIAL = f"local/20260101/{REGION}/dynamodb/aws4_request"
_HEADERS = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={_CREDENTIAL}, SignedHeaders=host, Signature=none",
    "Content-Type": "application/x-amz-json-1.0",
}


class DynamoDbCalls:
    """A connection to the AWS server at this URL, for one thread; a context manager."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(self, operation: str, **body: Any) -> tuple[int, Any]:
        """Return the status and the body of the response."""
        target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        self._connection.request("POST", "/", json.dumps(body), {**_HEADERS, **target})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def call(self, operation: str, **body: Any) -> Any:
        """Return the body of the response, whose status must be 200."""
        status, response = self.send(operation, **body)
        assert status == 200, response
        return response
