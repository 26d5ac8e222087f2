"""The console's function handles its events of `events/`, which are also for `sam local invoke`."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import ROOT, LocalStack

Handle = Callable[..., Any]


@pytest.mark.parametrize("name", ["console.root", "console.page"])
def test_every_path_returns_the_page(handle: Handle, name: str) -> None:
    answer = handle(name)

    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"].startswith("text/html")
    assert "content-security-policy" in answer["headers"]
    assert answer["body"].startswith("<!doctype html>")


def test_a_file_is_returned_as_compressed_bytes(handle: Handle) -> None:
    answer = handle("console.file")

    assert answer["isBase64Encoded"]
    sent = gzip.decompress(base64.b64decode(answer["body"]))
    assert sent == (ROOT / "functions/console/static/millrace.js").read_bytes()


def test_the_configuration_has_the_issuer_of_the_deployment(stack: LocalStack, handle: Handle) -> None:
    answer = handle("console.config")

    assert json.loads(answer["body"])["data"]["issuer"] == stack.issuer_url
