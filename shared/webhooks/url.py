"""The rule for the URLs of endpoints when an owner enters one.

It refuses what can be seen in the text. Which address a name has is checked when a connection is made, because that can
change at any time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from shared.webhooks.endpoint import MOST_URL_CHARACTERS

HTTPS_PORT = 443

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""The hosts that the local stack may call."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MOST_NAME_CHARACTERS = 253
_OTHER_BY_STANDARD = frozenset("ßς\u200c\u200d")
"""Characters that the older standard of international names, which Python has, maps to other names than the newer."""

_LOCAL_NAMES = frozenset({"localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "onion"})
"""Last labels of names that no public resolver knows; several of them lead into private networks."""


class UrlRefused(ValueError):
    """The URL breaks a rule. The message says which one, and what to do."""


@dataclass(frozen=True, slots=True)
class UrlRule:
    """The URLs that endpoints may have: https on one of `ports`, and with `loopback` any port of this machine."""

    ports: tuple[int, ...] = (HTTPS_PORT,)
    loopback: bool = False

    def checked(self, url: str) -> str:
        """Return the URL in its usual form: lower-case scheme and host in ASCII, without the scheme's own port.

        Raises UrlRefused.
        """
        if len(url) > MOST_URL_CHARACTERS:
            raise UrlRefused(f"must have at most {MOST_URL_CHARACTERS:,} characters; shorten it")
        if _UNSAFE.search(url):
            raise UrlRefused("must not contain spaces, control characters or backslashes; percent-encode them")
        parts = _split(url)
        if "@" in parts.netloc:
            raise UrlRefused("must not contain a user or password; verify requests by their signature instead")
        if "#" in url:
            raise UrlRefused("must not have a fragment, because servers do not get it; remove the part from # on")
        if _OUTSIDE_ASCII.search(f"{parts.path}{parts.query}"):
            raise UrlRefused("must be ASCII after the host; percent-encode other characters")
        host = parts.hostname or ""
        if host in LOOPBACK_HOSTS and self.loopback:
            return _usual(parts, f"[{host}]" if ":" in host else host)
        if parts.scheme != "https":
            raise UrlRefused("must begin with https://")
        self._check_port(parts)
        return _usual(parts, _public_name(host, bracketed="[" in parts.netloc))

    def _check_port(self, parts: SplitResult) -> None:
        if (parts.port or HTTPS_PORT) not in self.ports:
            allowed = " or ".join(map(str, self.ports))
            raise UrlRefused(f"must have port {allowed}, not {parts.port or HTTPS_PORT}")


def _split(url: str) -> SplitResult:
    """Return the parts of the URL. Raises UrlRefused if it is not an HTTP URL, or has no valid host or port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("must be a URL with a valid host and port, such as https://example.com/webhooks") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise UrlRefused("must be a URL with a scheme and a host, such as https://example.com/webhooks")
    return parts


def _public_name(host: str, *, bracketed: bool) -> str:
    """Return the host's name in ASCII. Raises UrlRefused if it is an address, or a name that is not public."""
    if ":" in host or bracketed or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise UrlRefused("must name its host, not give an IP address; use a domain name")
    if host.endswith("."):
        raise UrlRefused("must not have a dot after its host; remove it")
    name = _ascii(host)
    labels = name.split(".")
    if len(name) > _MOST_NAME_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("must have a host of letters, digits, hyphens and dots, such as hooks.example.com")
    if len(labels) < 2 or labels[-1] in _LOCAL_NAMES or name.endswith(".home.arpa"):
        raise UrlRefused("must have a host that is public, such as hooks.example.com")
    if _NUMBER.fullmatch(labels[-1]):
        raise UrlRefused("must name its host, not give an IP address; use a domain name")
    return name


def _ascii(host: str) -> str:
    """Return an international name as `xn--…`. Raises UrlRefused if it has none, or if standards disagree about it."""
    if host.isascii():
        return host
    if _OTHER_BY_STANDARD & set(host):
        raise UrlRefused("has an international host that resolvers read differently; write its xn--… form")
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        raise UrlRefused("has a host that is no valid international name; write its xn--… form") from None


def _usual(parts: SplitResult, host: str) -> str:
    usual_port = HTTPS_PORT if parts.scheme == "https" else 80
    port = "" if parts.port in {None, usual_port} else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}{query}"
