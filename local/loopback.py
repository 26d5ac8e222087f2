"""Keeps proxies away from connections to this machine: clients take them from the environment for every address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
_PROXY_NAMES: Final = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS: Final = "no_proxy"

PROXY_VARIABLES: Final = frozenset(
    each for name in (*_PROXY_NAMES, _EXCEPTIONS) for each in (name.lower(), name.upper())
)
"""The variables from which curl, urllib, httpx and botocore read their proxies; either case is common."""


def is_loopback(url: str) -> bool:
    """Tell whether the URL's host is this machine."""
    return urlsplit(url).hostname in _HOSTS


def proxied(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment names a proxy."""
    return any(environment.get(each) for name in _PROXY_NAMES for each in (name, name.upper()))


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that connects to this machine only."""
    return {name: value for name, value in environment.items() if name not in PROXY_VARIABLES}


def direct_to_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that uses the proxies for every host but this machine."""
    given = environment.get(_EXCEPTIONS) or environment.get(_EXCEPTIONS.upper()) or ""
    hosts = [each.strip() for each in given.split(",") if each.strip()]
    value = "*" if "*" in hosts else ",".join(dict.fromkeys([*hosts, *_HOSTS]))
    return {**environment, _EXCEPTIONS: value, _EXCEPTIONS.upper(): value}
