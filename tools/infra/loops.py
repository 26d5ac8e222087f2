"""Repeat the entry below `# for each <set>` once for every member of the set, with its names filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.infra.blocks import CannotUnite, indent_of, is_comment

_FOR_EACH = re.compile(r"\s*# for each (?P<set>[a-z ]+)")
_PLACEHOLDER = re.compile(r"<(?P<name>[A-Za-z]+)>")


@dataclass(frozen=True, slots=True)
class Scope:
    """What text may refer to: `names` for its placeholders (`<Group>`), `sets` for its loops."""

    names: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, Sequence[Scope]] = field(default_factory=dict)

    def within(self, outer: Scope) -> Scope:
        """Return this scope with everything that `outer` has and this one has not."""
        return Scope({**outer.names, **self.names}, {**outer.sets, **self.sets})

    def fill(self, line: str) -> str:
        """Replace the placeholders this scope has a name for; leave others, as those of a comment, as they are."""
        return _PLACEHOLDER.sub(lambda match: self.names.get(match["name"], match[0]), line)


def expanded(lines: Sequence[str], scope: Scope) -> Iterator[str]:
    """Yield the lines with loops repeated and placeholders filled.

    Raises:
        CannotUnite: a loop is over a set that is not there.
    """
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        loop = _FOR_EACH.fullmatch(line)
        if loop is None:
            yield scope.fill(line)
            continue
        if loop["set"] not in scope.sets:
            raise CannotUnite(f"# for each {loop['set']}: there is {', '.join(sorted(scope.sets))}")
        item = item_of(rest)
        rest = rest[len(item) :]
        for member in scope.sets[loop["set"]]:
            yield from expanded(item, member.within(scope))


def item_of(lines: Sequence[str]) -> list[str]:
    """Return what `lines` begin with: comments, the one line at their indentation, and all lines indented below it."""
    indent = indent_of(lines[0])
    taken: list[str] = []
    begun = False
    for line in lines:
        if line.strip() and indent_of(line) <= indent:
            if begun:
                break
            begun = not is_comment(line)
        taken.append(line)
    while taken and not taken[-1].strip():
        taken.pop()
    return taken
