"""Check what names an endpoint and opens it: its base URL, its key, and the proxy that the environment has for it.

What copying adds is removed. Anything else that is not valid is refused by setting, rule and remedy. No message quotes
a value, because the owner of a job reads it.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from shared.errors import ModelMisconfigured

_QUOTES: Final = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
_BEARER: Final = re.compile(r"(authorization\s*:\s*)?bearer(\s+|$)", re.IGNORECASE)
_ASSIGNMENT: Final = re.compile(r"(export\s+)?[A-Z][A-Z0-9_]*(KEY|TOKEN|SECRET)\s*=\s*(?=[^=\s])")

# The URL of an operation, which documentation and portals show, is that of the API with one of these behind it.
_OPERATION: Final = re.compile(r"/(chat/completions|completions|responses|models|embeddings)/*$")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
_OPENAI: Final = "api.openai.com"
_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """The base URL of an endpoint, and the query that each of its requests has."""

    url: str
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.url}?{urlencode(self.query)}" if self.query else self.url

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that requests need besides `Authorization`.

        Azure's dated API takes a key in `api-key` only: https://learn.microsoft.com/azure/ai-services/openai/reference
        """
        return {"api-key": key} if any(name == "api-version" for name, _ in self.query) else {}


def base_url_of(text: str, setting: str) -> BaseUrl:
    """Return the base URL in the setting's text, without the path of an operation at its end.

    Raises ModelMisconfigured, which names the setting.
    """
    url = _as_meant(text)
    _refuse_characters(url, f"{setting} (the model's base URL)", "write other characters as %XX")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise ModelMisconfigured(
            f"{setting} (the model's base URL) must begin with https:// or http://; write it as in "
            "https://api.openai.com/v1"
        )
    if "#" in url:
        raise ModelMisconfigured(
            f"{setting} (the model's base URL) must have no fragment; remove the # and what follows"
        )
    parts = _split(url, f"{setting} (the model's base URL)", "write it as in https://api.openai.com/v1")
    if "@" in parts.netloc:
        raise ModelMisconfigured(
            f"{setting} (the model's base URL) must have no user name or password; remove them, and set the key in its "
            "own setting"
        )
    path = _OPERATION.sub("", parts.path).rstrip("/")
    if parts.hostname == _OPENAI and not path:
        path = "/v1"
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return BaseUrl(urlunsplit((parts.scheme, parts.netloc, path, "", "")), query)


def api_key_of(text: str, setting: str) -> str:
    """Return the key in the setting's text, without quotes, white space and `Bearer` around it.

    Raises ModelMisconfigured, which names the setting and never the key.
    """
    key = _as_meant(text)
    if key.startswith("{"):
        key = _as_meant(_only_text_in(key, setting))
    key = _as_meant(_ASSIGNMENT.sub("", key, count=1) if _ASSIGNMENT.match(key) else key)
    key = _as_meant(_BEARER.sub("", key, count=1) if _BEARER.match(key) else key)
    if not key:
        raise ModelMisconfigured(
            f"{setting} (the model's key) is empty; put the key of the model's endpoint into it, as plain text"
        )
    _refuse_characters(key, f"{setting} (the model's key)", "copy the key from the provider again")
    return key


def proxy_for(base: BaseUrl) -> str | None:
    """Return the proxy that the environment names for the endpoint; None if there is none.

    A proxy for other URLs is not looked at. Raises ModelMisconfigured, which names the variable.
    """
    from urllib.request import getproxies  # noqa: PLC0415 - its import takes time, which only a call has to pay

    parts = urlsplit(base.url)
    proxies = getproxies()
    scheme = next((each for each in (parts.scheme, "all") if proxies.get(each)), None)
    if scheme is None or any(_excepts(each.strip().lower(), parts) for each in proxies.get("no", "").split(",")):
        return None
    return _checked_proxy(proxies[scheme], _variable_of(scheme, os.environ))


def _excepts(entry: str, url: SplitResult) -> bool:
    """Tell whether an entry of NO_PROXY excepts the URL: by host, host and port, domain, or network."""
    host = url.hostname or ""
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = entry.removeprefix("*").removeprefix(".").strip("[]")
    return entry == "*" or domain in {host, url.netloc.lower()} or (domain != "" and host.endswith(f".{domain}"))


def _checked_proxy(text: str, variable: str) -> str:
    proxy = _as_meant(text)
    about = f"{variable} (the proxy for the model's endpoint)"
    remedy = "correct it, unset it, or name the endpoint's host in NO_PROXY"
    _refuse_characters(proxy, about, remedy)
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy.partition("://")[0].lower() not in _PROXY_SCHEMES:
        raise ModelMisconfigured(f"{about} must begin with http://, https://, socks5:// or socks5h://; {remedy}")
    parts = _split(proxy, about, remedy)
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ModelMisconfigured(
            f"{about} is a SOCKS proxy, which needs the Python package socksio; install socksio, set an HTTP proxy, or "
            "name the endpoint's host in NO_PROXY"
        )
    return proxy


def _variable_of(scheme: str, environment: Mapping[str, str]) -> str:
    """Return the variable that names the proxy: the one in lower case has precedence. Systems have other settings."""
    name = f"{scheme}_proxy"
    return next((each for each in (name, name.upper()) if environment.get(each)), "the system's proxy setting")


def _as_meant(text: str) -> str:
    """Return the text without what copying adds: invisible characters, and white space and quotes around it."""
    visible = "".join(each for each in text if unicodedata.category(each) != "Cf")
    return visible.strip().strip(_QUOTES).strip()


def _refuse_characters(text: str, about: str, remedy: str) -> None:
    """Raise ModelMisconfigured for the first character that is not visible ASCII; its place is no secret."""
    for position, character in enumerate(text, 1):
        if not "!" <= character <= "~":
            name = unicodedata.name(character, "a control character")
            raise ModelMisconfigured(
                f"{about} must have visible ASCII characters only, but character {position} is U+{ord(character):04X} "
                f"({name}); {remedy}"
            )


def _split(url: str, about: str, remedy: str) -> SplitResult:
    """Return the URL's parts. Raises ModelMisconfigured if its host or its port is not valid."""
    refusal = ModelMisconfigured(f"{about} must have a valid host and port; {remedy}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise refusal from None
    if ":" not in host and not _HOST.fullmatch(host):
        raise refusal
    return parts


def _only_text_in(document: str, setting: str) -> str:
    """Return the only value of a JSON object, as Secrets Manager's console stores a key and its name."""
    try:
        match list(json.loads(document).values()):
            case [str(text)]:
                return text
    except (ValueError, AttributeError, RecursionError):
        pass
    raise ModelMisconfigured(
        f"{setting} (the model's key) must be the key as plain text, not JSON with several values; store the key alone"
    )
