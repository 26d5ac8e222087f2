"""Splits an output into tokens, and puts a time stamp into each token of a benchmark."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from typing import Any, Final

STAMP: Final = "\ue000"
"""Marks where one time stamp goes when its token is sent; a private-use character, which no output contains."""

STAMP_LENGTH: Final = len("1700000000000000000 ")
_TOKEN: Final = re.compile(r"\s*(?:\w{1,9}|[^\w\s]{1,4})|\s+$")


class Prose(str):
    """A string of a document that time stamps may replace: at most `room` stamps, at least `shortest` characters."""

    room: int
    shortest: int

    def stamped(self, count: int) -> str:
        """Return `count` stamps, filled up to `shortest` characters; without stamps the string itself."""
        missing = self.shortest - count * STAMP_LENGTH
        return STAMP * count + "." * missing if count else str(self)


def split_tokens(text: str) -> list[str]:
    """Split the text into pieces of about a word each, as a model sends them. Joined, they are the text."""
    return _TOKEN.findall(text)


def split_exactly(text: str, count: int) -> list[str]:
    """Split the text into `count` pieces of even length; a text with fewer characters is filled up with blanks."""
    text = text.ljust(count)
    cuts = [index * len(text) // count for index in range(count + 1)]
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def split_units(text: str) -> list[str]:
    """Split the text into UTF-16 units, as a server written in JavaScript does: some are half a character."""
    units = text.encode("utf-16-le")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


def stamped(document: Any, count: int) -> list[str]:
    """Return the document as JSON in `count` tokens. Each has one STAMP, as far as the strings have room for stamps."""
    strings = _prose_in(document)
    left = count
    shares: list[int] = []
    for index, (_, _, prose) in enumerate(strings):
        # Each string takes an equal share of what is left, so later strings take what earlier ones had no room for.
        share = min(prose.room, math.ceil(left / (len(strings) - index)))
        shares.append(share)
        left -= share
    for (holder, key, prose), share in zip(strings, shares, strict=True):
        # What the last strings had no room for goes to the first strings that have room.
        whole = min(prose.room, share + left)
        left -= whole - share
        holder[key] = prose.stamped(whole)
    head, *pieces = json.dumps(document, ensure_ascii=False).split(STAMP)
    if not pieces:
        return split_exactly(head, count)
    tokens = [STAMP + piece for piece in pieces]
    tokens[0] = head + tokens[0]
    return [*split_exactly("", count - len(tokens)), *tokens] if count > len(tokens) else tokens


def with_time(token: str) -> str:
    """Return the token with the present time, in nanoseconds since the epoch, where it has a STAMP."""
    return token.replace(STAMP, f"{time.time_ns()} ") if STAMP in token else token


def _prose_in(document: Any) -> list[tuple[Any, Any, Prose]]:
    """List the strings that stamps may replace: for each the object or list that holds it, its key, and the string."""
    if isinstance(document, dict):
        entries: list[tuple[Any, Any]] = list(document.items())
    elif isinstance(document, list):
        entries = list(enumerate(document))
    else:
        return []
    found: list[tuple[Any, Any, Prose]] = []
    for key, value in entries:
        if isinstance(value, Prose):
            found.append((document, key, value))
        else:
            found += _prose_in(value)
    return found
