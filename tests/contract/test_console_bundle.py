"""What a first visit to the built console fetches: few requests, and few compressed bytes."""

from __future__ import annotations

import re
from gzip import compress

import pytest

from shared.web.site import FILES_AT
from tests.contract.build_output import CONSOLE, WANTED, bundle_missing, require

REQUESTS = 10
"""The most requests of a first visit, because each invokes the console's function. One is for the configuration."""
BYTES = 40_000
"""The most compressed bytes until a signed-in user sees the home page, without headers and the configuration."""
WELCOME_BYTES = 20_000
"""The same for a first visit, on which the user is not signed in."""

_PAGE = "bundle/index.html"
_SIGNED_IN = "bundle/signed_in.js"


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    require(bundle_missing(), wanted=WANTED)


def _linked() -> list[str]:
    """Return the page and the files that it links, by their names."""
    page = (CONSOLE / _PAGE).read_text()
    return [_PAGE, *dict.fromkeys(re.findall(rf'(?:src|href)="{FILES_AT}([^"]+)"', page))]


def _with_imports(names: list[str]) -> list[str]:
    """Return the files and all modules that they import before they run."""
    found = list(dict.fromkeys(names))
    for name in found:
        if name.endswith(".js"):
            imported = re.findall(r'(?:\bfrom|\bimport)\s*"\./([\w-]+\.js)"', (CONSOLE / name).read_text())
            found += [each for each in (f"bundle/{module}" for module in imported) if each not in found]
    return found


def _sizes(names: list[str]) -> dict[str, int]:
    return {name: len(compress((CONSOLE / name).read_bytes(), mtime=0)) for name in _with_imports(names)}


@pytest.mark.parametrize(
    ("further", "most"), [([], WELCOME_BYTES), ([_SIGNED_IN], BYTES)], ids=["welcome", "signed-in home page"]
)
def test_a_first_visit_fetches_few_files_and_bytes(further: list[str], most: int) -> None:
    sizes = _sizes([*_linked(), *further])

    assert len(sizes) + 1 <= REQUESTS, sizes
    assert sum(sizes.values()) <= most, sizes


def test_a_first_visit_fetches_no_page_but_the_first() -> None:
    scripts = {name for name in _with_imports([*_linked(), _SIGNED_IN]) if name.endswith(".js")}

    assert scripts == {"bundle/main.js", _SIGNED_IN}
    # The home page is there, in the second one, with its list of jobs, and without the rest of the client.
    second = (CONSOLE / _SIGNED_IN).read_text()
    assert all(word in second for word in ("What would you like to create?", "Latest jobs"))
    assert not any(word in second for word in ("BroadcastChannel", "WebSocket", "EventSource"))
