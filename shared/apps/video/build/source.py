"""The source of a scene: its lines, and places in it as people count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.apps.video.build.report import BuildError
from shared.apps.video.scene import MAX_CODE_BYTES

MAX_LINES: Final = 800
"""Most lines of one scene or component."""
_EXCERPT = 160  # characters
_MESSAGE = 400  # characters

ErrorKind = Literal["limit", "lint", "syntax", "name", "runtime"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the source: line and column, counted from 1. Columns count characters, not bytes or UTF-16 units."""

    line: int
    column: int


class Source:
    """The text of a scene or component, and the faults at places of it."""

    def __init__(self, text: str) -> None:
        # A byte order mark, which no editor counts, and line ends of other systems, which JavaScript reads as these.
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")

    def line(self, number: int) -> str:
        """Return a line without its end, counted from 1; an empty text if there is no such line."""
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""

    def place_of_bytes(self, row: int, column: int) -> Place:
        """Return the place of a row and a column in bytes, both counted from 0, as tree-sitter counts."""
        before = self.line(row + 1).encode()[:column]
        return Place(row + 1, len(before.decode(errors="replace")) + 1)

    def place_of_utf16(self, line: int, column: int) -> Place:
        """Return the place of a line and a column in UTF-16 units, both counted from 1, as V8 counts."""
        before = self.line(line).encode("utf-16-le")[: 2 * (column - 1)]
        return Place(line, len(before.decode("utf-16-le", errors="replace")) + 1)

    def place_of_columns(self, line: int, column: int) -> Place:
        """Return the place of a line and a column counted from 1 in which a tab has two columns, as Deno displays."""
        passed = 1
        for index, character in enumerate(self.line(line)):
            if passed >= column:
                return Place(line, index + 1)
            passed += 2 if character == "\t" else 1
        return Place(line, len(self.line(line)) + 1)

    def error(self, kind: ErrorKind, rule: str, message: str, place: Place | None = None) -> BuildError:
        """Return a fault of the source, with the line at its place."""
        message = message if len(message) <= _MESSAGE else f"{message[: _MESSAGE - 1]}…"
        if place is None:
            return BuildError(kind=kind, rule=rule, message=message)
        excerpt = self.line(place.line).strip()[:_EXCERPT]
        return BuildError(
            kind=kind, rule=rule, message=message, line=place.line, column=place.column, excerpt=excerpt or None
        )


def limit_errors(source: Source) -> list[BuildError]:
    """Return which limits the source exceeds. Nothing else looks at such a source."""
    try:
        size = len(source.text.encode())
    except UnicodeEncodeError as error:
        line = source.text.count("\n", 0, error.start) + 1
        column = error.start - (source.text.rfind("\n", 0, error.start) + 1) + 1
        message = "the code has half a character (a lone surrogate): remove it"
        return [BuildError(kind="limit", rule="not-text", message=message, line=line, column=column)]
    if size > MAX_CODE_BYTES:
        message = f"the code has {size:,} bytes, and at most {MAX_CODE_BYTES:,} are allowed: write a shorter scene"
        return [source.error("limit", "too-large", message)]
    if len(source.lines) > MAX_LINES:
        message = f"the code has {len(source.lines)} lines, and at most {MAX_LINES} are allowed: write a shorter scene"
        return [source.error("limit", "too-many-lines", message)]
    if not source.text.strip():
        return [source.error("limit", "empty", "the code is empty: write a function, and export it as default")]
    for number, text in enumerate(source.lines, 1):
        if "\0" in text:
            message = "the code has a NUL character: remove it"
            return [source.error("limit", "not-text", message, Place(number, text.index("\0") + 1))]
    return []
