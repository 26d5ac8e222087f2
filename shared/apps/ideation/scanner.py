"""Reads a model's answer while it is being written: the objects in its lists, one by one, as they grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass

LONGEST_KEY = 200
"""Characters of a property's name, as it is written, that are kept; a longer one is nobody's."""

_IN_DOCUMENT, _IN_LIST, _IN_ELEMENT = 1, 2, 3
# Between tokens JSON allows line breaks and tabs, inside strings none of them: as spaces an element is always one line.
_ON_ONE_LINE = dict.fromkeys(range(32), " ")


@dataclass(frozen=True, slots=True)
class ElementPart:
    """More of an element in the list of the property `key`. `ends`: it is all there.

    `end` counts the characters of the scanned piece up to the end of this part.
    """

    key: str
    text: str
    ends: bool
    end: int


@dataclass(slots=True)
class _Place:
    """Where in the answer a scanner stands.

    `depth` counts the containers around it. `name` is the last string of the outermost object: where a list begins,
    that is the list's name.
    """

    depth: int = 0
    in_string: bool = False
    escaped: bool = False
    in_list: bool = False
    in_element: bool = False
    name: str = ""


class ElementScanner:
    """Takes an answer in pieces of any size and gives the objects in the lists of its outermost object.

    Of `{"a": [{…}, {…}], "b": [{…}]}` these are three. Everything else is passed over: text around the document,
    properties that are not lists, items that are not objects. An element is what stands between matching braces;
    whether that is JSON is for others to say.
    """

    def __init__(self, state: str | None = None) -> None:
        """`state`: another scanner's, to go on where that one stands."""
        self._at = _Place(*json.loads(state)) if state else _Place()

    @property
    def state(self) -> str:
        """Where the scanner stands, in a few hundred characters at most: what it has given is not kept."""
        return json.dumps(astuple(self._at), separators=(",", ":"))

    def scan(self, piece: str) -> Iterator[ElementPart]:
        """What the piece holds of elements. While a part is being looked at, `state` is the one after that part."""
        at = self._at
        begin = 0
        for place, char in enumerate(piece):
            was_in_element = at.in_element
            self._step(char)
            if at.in_element and not was_in_element:
                begin = place
            elif was_in_element and not at.in_element:
                yield self._part(piece, begin, place + 1, ends=True)
        if at.in_element and piece:
            yield self._part(piece, begin, len(piece), ends=False)

    def _part(self, piece: str, begin: int, end: int, *, ends: bool) -> ElementPart:
        return ElementPart(self._key(), piece[begin:end].translate(_ON_ONE_LINE), ends, end)

    def _key(self) -> str:
        try:
            return str(json.loads(f'"{self._at.name}"'))
        except ValueError:
            return self._at.name

    def _step(self, char: str) -> None:
        at = self._at
        if at.in_string:
            self._step_in_string(char)
        elif char == '"':
            at.in_string = at.depth > 0
            if at.depth == _IN_DOCUMENT:
                at.name = ""
        elif char in "{[":
            self._open(char)
        elif char in "]}":
            self._close()

    def _step_in_string(self, char: str) -> None:
        at = self._at
        if char == '"' and not at.escaped:
            at.in_string = False
            return
        at.escaped = char == "\\" and not at.escaped
        if at.depth == _IN_DOCUMENT and len(at.name) < LONGEST_KEY:
            at.name += char

    def _open(self, bracket: str) -> None:
        at = self._at
        if at.depth == 0 and bracket == "[":
            return
        at.depth += 1
        if at.depth == _IN_LIST:
            at.in_list = bracket == "["
        elif at.depth == _IN_ELEMENT:
            at.in_element = at.in_list and bracket == "{"

    def _close(self) -> None:
        at = self._at
        at.depth = max(0, at.depth - 1)
        at.in_element = at.in_element and at.depth >= _IN_ELEMENT
