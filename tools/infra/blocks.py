"""Cut the text of a YAML mapping into its entries, so that comments and the author's layout are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_KEY = re.compile(r"\s*(?P<key>[^\s#:\"][^:]*(?:::[^:]+)*):(?:\s|$)")


class CannotUnite(Exception):
    """A fragment breaks a rule; the message names the file and the place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value, as written; `comment` is the lines directly above the key."""

    key: str
    comment: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> tuple[str, ...]:
        return (*self.comment, *self.lines)

    @property
    def inside(self) -> tuple[str, ...]:
        """The lines below the key."""
        return self.lines[1:]

    def entries(self) -> list[Entry]:
        """Return the entries of the value. Raises CannotUnite if it is not a mapping in block style."""
        return entries_of(self.inside)

    def at(self, indent: int) -> Entry:
        """Return the same entry with its key at this indentation."""
        step = indent - indent_of(self.lines[0])
        return Entry(self.key, shifted(self.comment, step), shifted(self.lines, step))

    def holding(self, lines: Iterable[str]) -> Entry:
        """Return the same key with other lines below it."""
        return Entry(self.key, self.comment, (f"{' ' * indent_of(self.lines[0])}{self.key}:", *lines))


def entries_of(lines: Sequence[str]) -> list[Entry]:
    """Cut the lines of a mapping into its entries. Blank lines around an entry are dropped.

    Raises:
        CannotUnite: a line at the mapping's indentation is neither a key nor a comment.
    """
    indent = next((indent_of(line) for line in lines if line.strip()), 0)
    found: list[Entry] = []
    comment: list[str] = []
    body: list[str] = []
    for line in lines:
        if not line.strip() or indent_of(line) > indent:
            (body or comment).append(line)
            continue
        if body:
            found.append(_entry(comment, body))
            comment, body = [], []
        (comment if is_comment(line) else body).append(line)
    return [*found, _entry(comment, body)] if body else found


def _entry(comment: Sequence[str], body: Sequence[str]) -> Entry:
    match = _KEY.match(body[0])
    if match is None:
        raise CannotUnite(f"no entry of a mapping: {body[0].strip()}")
    while not body[-1].strip():
        body = body[:-1]
    return Entry(match["key"], tuple(line for line in comment if line.strip()), tuple(body))


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def shifted(lines: Iterable[str], step: int) -> tuple[str, ...]:
    """Return the lines indented by `step` spaces more, or less if it is negative."""
    if step < 0:
        return tuple(line[-step:] if line.strip() else "" for line in lines)
    return tuple(f"{' ' * step}{line}" if line.strip() else "" for line in lines)
