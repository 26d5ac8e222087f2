"""URLs name the API's own domain, whatever host the client writes."""

from __future__ import annotations

from typing import Any

import pytest

from shared.web.urls import with_safe_headers


def event(domain: str, **headers: str) -> dict[str, Any]:
    return {"headers": headers, "requestContext": {"domainName": domain}}


def test_the_host_is_the_domain_of_the_api() -> None:
    safe = with_safe_headers(event("api.example", host="evil.example", **{"x-forwarded-proto": "javascript"}))
    assert safe["headers"] == {"host": "api.example", "x-forwarded-proto": "https"}


@pytest.mark.parametrize("domain", ["evil:81/x?", "evil:x", "a b", "", "[::1]:8000", "evil/", "a@b", "a:999999"])
def test_a_domain_that_is_none_is_not_used(domain: str) -> None:
    assert with_safe_headers(event(domain, host=domain))["headers"]["host"] == "localhost"


def test_a_port_that_is_none_is_left_out() -> None:
    safe = with_safe_headers(event("127.0.0.1:8000", **{"x-forwarded-port": "x", "x-forwarded-proto": "http"}))
    assert safe["headers"] == {"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}


def test_an_event_without_headers_can_be_read() -> None:
    assert with_safe_headers({"requestContext": {}})["headers"]["host"] == "localhost"
