"""Find the objects in the lists of a JSON document while the model is still writing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass

LONGEST_KEY = 200
"""Characters of a property's name that are kept, as it is written in JSON. No list of our schemas has a longer name."""

_IN_DOCUMENT, _IN_LIST, _IN_ELEMENT = 1, 2, 3
# JSON allows control characters such as line breaks only between tokens. As spaces, they leave an element on one line.
_ON_ONE_LINE = dict.fromkeys(range(32), " ")


@dataclass(frozen=True, slots=True)
class ElementPart:
    """The next part of an element in the list `key`; `ends` is true for the element's last part.

    `end` is the number of characters of the scanned text up to the end of this part.
    """

    key: str
    text: str
    ends: bool
    end: int


@dataclass(slots=True)
class _Position:
    """The scanner's position in the document.

    `depth` counts the objects and lists around it. `name` is the last string of the outermost object; when a list
    begins, it is the list's name.
    """

    depth: int = 0
    in_string: bool = False
    escaped: bool = False
    in_list: bool = False
    in_element: bool = False
    name: str = ""


class ElementScanner:
    """Scan a JSON document in texts of any length, and find the objects in the lists of its outermost object.

    In `{"a": [{…}, {…}], "b": [{…}]}` there are three. The scanner ignores everything else: text around the document,
    properties that are not lists, and items that are not objects. An element is the text between matching braces;
    whether it is valid JSON is not checked.
    """

    def __init__(self, state: str | None = None) -> None:
        """Begin a document, or continue it at the `state` of another scanner."""
        self._position = _Position(*json.loads(state)) if state else _Position()

    @property
    def state(self) -> str:
        """The scanner's position as text, of a few hundred characters at most. It does not contain elements."""
        return json.dumps(astuple(self._position), separators=(",", ":"))

    def scan(self, text: str) -> Iterator[ElementPart]:
        """Yield the parts of elements in the next text. When a part is yielded, `state` is the position after it."""
        position = self._position
        begin = 0
        for index, char in enumerate(text):
            was_in_element = position.in_element
            self._step(char)
            if position.in_element and not was_in_element:
                begin = index
            elif was_in_element and not position.in_element:
                yield self._part(text, begin, index + 1, ends=True)
        if position.in_element and text:
            yield self._part(text, begin, len(text), ends=False)

    def _part(self, text: str, begin: int, end: int, *, ends: bool) -> ElementPart:
        return ElementPart(self._key(), text[begin:end].translate(_ON_ONE_LINE), ends, end)

    def _key(self) -> str:
        try:
            return str(json.loads(f'"{self._position.name}"'))
        except ValueError:
            return self._position.name

    def _step(self, char: str) -> None:
        position = self._position
        if position.in_string:
            self._step_in_string(char)
        elif char == '"':
            position.in_string = position.depth > 0
            if position.depth == _IN_DOCUMENT:
                position.name = ""
        elif char in "{[":
            self._open(char)
        elif char in "]}":
            self._close()

    def _step_in_string(self, char: str) -> None:
        position = self._position
        if char == '"' and not position.escaped:
            position.in_string = False
            return
        position.escaped = char == "\\" and not position.escaped
        if position.depth == _IN_DOCUMENT and len(position.name) < LONGEST_KEY:
            position.name += char

    def _open(self, bracket: str) -> None:
        position = self._position
        if position.depth == 0 and bracket == "[":
            return
        position.depth += 1
        if position.depth == _IN_LIST:
            position.in_list = bracket == "["
        elif position.depth == _IN_ELEMENT:
            position.in_element = position.in_list and bracket == "{"

    def _close(self) -> None:
        position = self._position
        position.depth = max(0, position.depth - 1)
        position.in_element = position.in_element and position.depth >= _IN_ELEMENT
