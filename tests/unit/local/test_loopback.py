"""Proxy settings and this machine's own addresses."""

from __future__ import annotations

import urllib.request

import httpx
import pytest
from botocore.utils import get_environ_proxies

from local.loopback import direct_to_loopback, is_loopback, proxied, without_proxies

PROXIES = {"HTTP_PROXY": "http://proxy:1", "https_proxy": "http://proxy:2", "ALL_PROXY": "http://proxy:3"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:1", True),
        ("https://api.openai.com/v1", False),
        ("http://127.0.0.1.example.com", False),
        ("http://host.docker.internal:11434", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_proxy_variables_count_in_upper_and_lower_case() -> None:
    assert [proxied({name: value}) for name, value in PROXIES.items()] == [True, True, True]
    assert not proxied({"NO_PROXY": "example.com", "HTTP_PROXY": ""})


def test_an_environment_without_proxies_keeps_its_other_variables() -> None:
    assert without_proxies({**PROXIES, "no_proxy": "example.com", "HOME": "/home"}) == {"HOME": "/home"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "example.com, localhost"}, "example.com,localhost,127.0.0.1,::1"),
        ({"no_proxy": ".corp", "NO_PROXY": "ignored"}, ".corp,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_loopback_is_added_to_the_existing_proxy_exceptions(given: dict[str, str], expected: str) -> None:
    environment = direct_to_loopback({**PROXIES, **given})
    assert (environment["NO_PROXY"], environment["no_proxy"]) == (expected, expected)
    assert environment["HTTP_PROXY"] == "http://proxy:1"
    assert direct_to_loopback(environment) == environment


def test_every_http_client_of_the_stack_follows_the_proxy_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in direct_to_loopback(PROXIES).items():
        monkeypatch.setenv(name, value)
    assert get_environ_proxies("http://127.0.0.1:1") == {}
    assert get_environ_proxies("http://model.example")["http"] == "http://proxy:1"
    assert urllib.request.proxy_bypass("127.0.0.1:1")
    assert not urllib.request.proxy_bypass("model.example")
    with httpx.Client() as client:
        proxied_by = {
            host: client._transport_for_url(httpx.URL(f"http://{host}")) is not client._transport
            for host in ("127.0.0.1:1", "localhost:1", "model.example")
        }
    assert proxied_by == {"127.0.0.1:1": False, "localhost:1": False, "model.example": True}
