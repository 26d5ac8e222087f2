"""Find JSON in a model's output: in a fence, behind reasoning, between sentences, with the usual slips of models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.characters import whole_values

_TAG_NAMES: Final = "think|seed:think|thinking|thought|thoughts|reasoning|analysis|scratchpad"
_CLOSING_TAG: Final = re.compile(rf"</(?:{_TAG_NAMES})>|\[/think\]|◁/think▷", re.IGNORECASE)
"""Where a model's reasoning ends. Some servers send no opening tag, because it is a part of the model's prompt."""

_LANDMARK: Final = re.compile(
    rf"(?P<begins>\{{|\[(?=\s*\{{))|(?P<closes>{_CLOSING_TAG.pattern})|<(?:{_TAG_NAMES})>|\[think\]|◁think▷",
    re.IGNORECASE,
)
_SPACE: Final = re.compile(r"(?:[\s\ufeff\u200b]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|True|False|None")
_OF_PYTHON: Final[Mapping[str, Any]] = {"True": True, "False": False, "None": None}
_BARE_KEY: Final = re.compile(r"[A-Za-z_]\w*")
_ESCAPE_OR_RAW: Final = re.compile(r"\\(?P<valid>[\"\\/bfnrt]|u[0-9a-fA-F]{4})|\\(?P<other>.)|[\"\x00-\x1f]", re.DOTALL)


def _string(closing: str) -> re.Pattern[str]:
    """Match the rest of a text: up to the first quote behind which the document continues.

    Possessive quantifiers would say it in less, but Python matches them wrongly before 3.11.5
    (https://github.com/python/cpython/issues/106052).
    """
    plain, continues = rf"[^{closing}\\]*", r"\s*(?:[,:}\]]|\Z)"
    return re.compile(rf"({plain}(?:(?:\\.|[{closing}](?!{continues})){plain})*)[{closing}](?={continues})", re.DOTALL)


_STRINGS: Final[Mapping[str, re.Pattern[str]]] = {
    '"': _string('"'),
    "'": _string("'"),
    **dict.fromkeys("“”„", _string('”“"')),
    **dict.fromkeys("‘’‚", _string("’‘'")),  # noqa: RUF001 - the quotes that models write
}

_DEEPEST: Final = 60
"""Objects and lists inside each other. Deeper ones are not an answer to any of our schemas."""

_MOST_FAILURES: Final = 200
"""Beginnings that are no document after which the search ends, so that no output takes long to read."""

_MOST_CUTS: Final = 8
"""The same for beginnings without an end: more than objects are inside each other. Each is read to the text's end."""


class _Broken(Exception):
    """There is no document at this position."""


class _Cut(_Broken):
    """A document begins at this position, and the text ends before it does."""


@dataclass(frozen=True, slots=True)
class Found:
    """The documents in a text, in order; `cut` is true if one has begun and does not end."""

    documents: tuple[Any, ...]
    cut: bool


def find_documents(text: str) -> Found:
    """Find the JSON objects, and lists of objects, outside of the model's reasoning.

    A document may have trailing commas, comments, line breaks in its texts, and the quotes of typography or of Python.
    Everything before a closing tag is reasoning, also if it has no opening tag.
    """
    documents: list[Any] = []
    cuts, position, failures = 0, 0, 0
    while failures < _MOST_FAILURES and cuts < _MOST_CUTS and (landmark := _LANDMARK.search(text, position)):
        position = landmark.end()
        if landmark["begins"]:
            try:
                document, position = _document(text, landmark.start())
                documents.append(whole_values(document))
            except _Broken as broken:
                cuts += isinstance(broken, _Cut)
                failures += 1
        elif landmark["closes"]:
            documents, cuts = [], 0
        else:
            closing = _CLOSING_TAG.search(text, position)
            position = closing.end() if closing else len(text)
    return Found(tuple(documents) or _document_in_string(text), cuts > 0)


def _document_in_string(text: str) -> tuple[Any, ...]:
    """Return the documents in a JSON text that is one string, because the model has encoded its answer twice."""
    if not text.lstrip().startswith('"'):
        return ()
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return find_documents(inner).documents if isinstance(inner, str) else ()


def _document(text: str, position: int) -> tuple[Any, int]:
    """Return the document at this position and its end."""
    try:
        return _LENIENT.raw_decode(text, position)
    except (ValueError, RecursionError):
        return _value(text, position, 0)


_LENIENT: Final = json.JSONDecoder(strict=False)


def _value(text: str, position: int, depth: int) -> tuple[Any, int]:
    position = _behind_space(text, position)
    first = text[position : position + 1]
    if depth > _DEEPEST:
        raise _Broken
    if first == "{":
        return _object(text, position + 1, depth)
    if first == "[":
        return _list(text, position + 1, depth)
    if first in _STRINGS and first:
        return _text(text, position)
    scalar = _SCALAR.match(text, position)
    if scalar is None:
        raise _Broken if first else _Cut
    word = scalar[0]
    return (_OF_PYTHON[word] if word in _OF_PYTHON else json.loads(word)), scalar.end()


def _object(text: str, position: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while True:
        position = _behind_commas(text, position)
        if text.startswith("}", position):
            return found, position + 1
        key, position = _key(text, position)
        position = _behind_space(text, position)
        if not text.startswith(":", position):
            raise _Broken if position < len(text) else _Cut
        found[key], position = _value(text, position + 1, depth + 1)
        _check_separator(text, position, "}")


def _list(text: str, position: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while True:
        position = _behind_commas(text, position)
        if text.startswith("]", position):
            return found, position + 1
        value, position = _value(text, position, depth + 1)
        found.append(value)
        _check_separator(text, position, "]")


def _key(text: str, position: int) -> tuple[str, int]:
    if position >= len(text):
        raise _Cut
    if text[position] in _STRINGS:
        return _text(text, position)
    bare = _BARE_KEY.match(text, position)
    if bare is None:
        raise _Broken
    return bare[0], bare.end()


def _text(text: str, position: int) -> tuple[str, int]:
    found = _STRINGS[text[position]].match(text, position + 1)
    if found is None:
        raise _Cut
    return json.loads(f'"{_ESCAPE_OR_RAW.sub(_escaped, found[1])}"'), found.end()


def _escaped(found: re.Match[str]) -> str:
    """Write an escape that JSON does not know, a quote or a line break as JSON writes it."""
    if found["valid"]:
        return found[0]
    return json.dumps(found["other"] if found["other"] in {"'", "“", "”"} else found[0])[1:-1]


def _behind_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _behind_commas(text: str, position: int) -> int:
    position = _behind_space(text, position)
    while text.startswith(",", position):
        position = _behind_space(text, position + 1)
    return position


def _check_separator(text: str, position: int, closing: str) -> None:
    position = _behind_space(text, position)
    if position >= len(text):
        raise _Cut
    if text[position] not in f",{closing}":
        raise _Broken


_BEFORE_ANSWER: Final = re.compile(r"(?:[\s\ufeff\u200b]|```[A-Za-z0-9_-]*(?=[\s{]))*")
_PART_OF_FENCE: Final = re.compile(r"`{1,3}[A-Za-z0-9_-]*")
_LONGEST_TAG: Final = len("</scratchpad>")


class AnswerStart:
    """Find where the document begins in an output that arrives in pieces, as early as that can be known.

    It is known if nothing but reasoning, a fence and white space comes before it. Behind sentences it is not: there
    may be an example first, or reasoning without its opening tag.
    """

    def __init__(self) -> None:
        self._hidden = False
        self._pending = ""

    def find(self, text: str) -> int | None:
        """Return the position in this piece at which the document begins; None if it has not begun."""
        window = self._pending + text
        position = 0
        while True:
            if self._hidden:
                closing = _CLOSING_TAG.search(window, position)
                if closing is None:
                    self._pending = window[position:][-_LONGEST_TAG:]
                    return None
                position, self._hidden = closing.end(), False
            before = _BEFORE_ANSWER.match(window, position)
            position = before.end() if before else position
            if window.startswith("{", position):
                return position - (len(window) - len(text))
            rest = window[position:]
            if _may_continue(rest):
                self._pending = rest
                return None
            self._hidden = True


def _may_continue(rest: str) -> bool:
    """Whether this may become a fence or a tag with the next piece; also if it is nothing yet."""
    if not rest or _PART_OF_FENCE.fullmatch(rest):
        return True
    return len(rest) < _LONGEST_TAG and re.fullmatch(r"[<\[◁][A-Za-z:]*", rest) is not None


class WantedAnswer:
    """What a whole answer looks like: a JSON object with these keys. Whether its values fit is checked by the stage."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)

    def fits(self, text: str) -> bool:
        """Whether the text has a whole object with all of the keys."""
        found = find_documents(text).documents
        return any(isinstance(each, dict) and self._keys <= each.keys() for each in found)

    def is_cut(self, text: str) -> bool:
        """Whether a document in the text does not end."""
        return find_documents(text).cut
