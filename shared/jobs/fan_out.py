"""Read the parts of a fan-out from the output of the stage before it, and check them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.errors import InternalFault

MAX_PARTS = 1000
"""Maximum parts of one fan-out. With all retries, the execution's history stays below 25,000 events."""

MAX_TITLE_CHARS = 200
"""Maximum length of a part's title."""

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The form of a part's key. A thousand keys fit into the 256 kB that a state may pass on."""


def part_titles(stage: str, output: Mapping[str, Any]) -> dict[str, str]:
    """Return the title of each part by its key, in order, from `parts` in the output of `stage`.

    `parts` is a list of keys, which are their own titles, or a mapping of keys to titles.

    Raises InternalFault, which names the stage and the rule, if `parts` is missing or breaks a rule.
    """
    parts = output.get("parts")
    if isinstance(parts, Mapping):
        titles = list(parts.items())
    elif isinstance(parts, list | tuple):
        titles = [(key, key) for key in parts]
    else:
        raise _broken(stage, "must be a list of keys, or a mapping of keys to titles")
    if len(titles) > MAX_PARTS:
        raise _broken(stage, f"must name at most {MAX_PARTS} parts, not {len(titles)}")
    for key, title in titles:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise _broken(stage, f"must have keys of 1 to 64 letters, digits, '.', '_' and '-', not {str(key)[:80]!r}")
        if not isinstance(title, str) or not 1 <= len(title) <= MAX_TITLE_CHARS:
            raise _broken(stage, f"must have titles of 1 to {MAX_TITLE_CHARS} characters; that of {key} has not")
    found = dict(titles)
    if len(found) < len(titles):
        raise _broken(stage, "must name each part once")
    return found


def _broken(stage: str, rule: str) -> InternalFault:
    return InternalFault(f"stage {stage} comes before a fan-out: `parts` of its output {rule}")
