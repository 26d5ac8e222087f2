"""What `tests/browser/audit.py` relies on: schemes change colours only, and widths change none of them."""

from __future__ import annotations

import re

from tests.layout import ROOT

STATIC = ROOT / "functions/console/static"
_OF_A_WIDTH = re.compile(r"@media \((?:max|min)-width[^{]*\{((?:[^{}]*\{[^{}]*\})*\s*)\}")
_COLOUR = re.compile(r"(?<![\w-])((?:[a-z]+-)*color|background|fill|stroke|opacity): *([^;]+);")


def test_only_colours_depend_on_the_scheme() -> None:
    own = [path for kind in ("css", "js", "html") for path in STATIC.rglob(f"*.{kind}") if "vendor" not in path.parts]
    assert len(own) > 100
    assert [str(path) for path in own if "prefers-color-scheme" in path.read_text()] == []


def test_no_colour_is_only_for_some_widths() -> None:
    text = "\n".join(path.read_text() for path in STATIC.rglob("*.css") if "vendor" not in path.parts)
    of_widths = "\n".join(_OF_A_WIDTH.findall(text))
    assert of_widths.count("{") > 30
    assert set(_COLOUR.findall(of_widths)) <= set(_COLOUR.findall(_OF_A_WIDTH.sub("", text)))
