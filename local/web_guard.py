"""Refuses what a web page of another origin sends to a local port. Every server in `local/` asks it before it answers.

A browser lets any page send requests to this machine, and these ports give out secrets and tokens. So a request is
answered only if no such page can have sent it, or if the page is one that the stack was started for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")
_PATH: Final = r"/[\w/.~-]*"
_UNKNOWN_ORIGIN: Final = "Origin must be one that the stack was started for; add yours: python -m local --origin ORIGIN"
_DIRECT: Final = frozenset({"", "none", "same-origin"})


def origins_of_port(port: int) -> tuple[str, ...]:
    """Return the origins of the pages that a server on this loopback port serves."""
    return tuple(f"http://{name}:{port}" for name in LOOPBACK_NAMES)


def is_origin(text: str) -> bool:
    """Tell whether the text is an origin as a browser writes it: scheme, host and port in lower case, no slash."""
    return _ORIGIN.fullmatch(text) is not None


def is_page_of(url: str, origins: Iterable[str]) -> bool:
    """Tell whether the URL is a page of one of these origins, without query and fragment.

    The comparison is of text. Parsers disagree about URLs such as `http://evil.example\\@127.0.0.1/`.
    """
    return any(re.fullmatch(re.escape(origin) + _PATH, url, re.ASCII) for origin in origins)


@dataclass(frozen=True, slots=True)
class WebGuard:
    """Decides which requests a server on the loopback port `port` answers.

    `origins`: the origins whose pages may read its responses. `opens`: whether a link on any page may lead to it.
    `programs_only`: prefixes of paths that no page may use, not even a page of `origins`. `pages_at`: prefixes of the
    only paths that pages may use, if not all others; a link on a page of this machine may lead there as well.
    """

    port: int
    origins: frozenset[str] = frozenset()
    opens: bool = False
    programs_only: tuple[str, ...] = ()
    pages_at: tuple[str, ...] | None = None
    _hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        default = frozenset(LOOPBACK_NAMES) if self.port == 80 else frozenset()
        object.__setattr__(self, "_hosts", default | {f"{name}:{self.port}" for name in LOOPBACK_NAMES})

    def refusal(self, method: str, path: str, header: Callable[[str], str]) -> str | None:
        """Return why the request is refused, or None. `header` returns a header's value, or "" without one.

        A page whose own name was made to lead to this machine (DNS rebinding) is of the same origin for its browser,
        but sends its own name as `Host`. Every other page sends `Origin` if it can read the response or change data,
        and `Sec-Fetch-Site` in any case.
        """
        if header("host").lower() not in self._hosts:
            return f"Host must be one of: {', '.join(sorted(self._hosts))}"
        origin, site = header("origin"), header("sec-fetch-site")
        if path.startswith(self.programs_only) or not (self.pages_at is None or path.startswith(self.pages_at)):
            is_page = origin != "" or site not in {"", "none"}
            return "this path is for programs, not for web pages" if is_page else None
        if origin:
            return None if origin in self.origins else _UNKNOWN_ORIGIN
        navigates = (
            method == "GET" and header("sec-fetch-mode") == "navigate" and header("sec-fetch-dest") == "document"
        )
        opens = self.opens or (self.pages_at is not None and site == "same-site")
        if site in _DIRECT or (opens and navigates):
            return None
        return "a page of another origin may not load this"
