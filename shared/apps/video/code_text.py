"""Read code in a model's output: one block of TSX, or blocks that each replace one place of the present code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.apps.video.build.report import BuildError
from shared.json_values import broken_rule

SEARCH, MIDDLE, REPLACE = "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"

_FENCE: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
_PROPS: Final = re.compile(r"^[ \t]*//[ \t]*props:[ \t]*(\{.*\})[ \t]*$", re.MULTILINE)
_EXPORT: Final = re.compile(r"\bexport\b")


@dataclass(frozen=True, slots=True)
class NoCode(Exception):
    """The output has no code that could be built; `errors` say why, for the model and for people."""

    errors: tuple[BuildError, ...]


def code_in(output: str, base: str | None) -> str:
    """Return the code in a model's output. With `base`, the output may edit it by blocks of SEARCH and REPLACE.

    Raises NoCode if there is none, or more than one, or if a block does not match exactly one place of `base`.
    """
    text = output.replace("\r\n", "\n")
    if SEARCH in text:
        return _edited(text, base)
    fences = list(_FENCE.finditer(text))
    if not fences:
        if not _EXPORT.search(text):
            raise NoCode((_problem("no-code", "the answer has no code: answer with one block of TSX"),))
        return text.strip() + "\n"
    if len(fences) == 1:
        raise NoCode((_problem("cut-off", "the code is cut off: its block does not end; write a shorter scene"),))
    if len(fences) > 2:
        raise NoCode((_problem("several-blocks", "the answer has several blocks of code: answer with one"),))
    return text[fences[0].end() : fences[1].start()].strip() + "\n"


def props_in(code: str) -> dict[str, Any]:
    """Return the new values of props that a line `// props: {…}` of the code names; none if it cannot be read."""
    found = _PROPS.search(code)
    try:
        value = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) and broken_rule(value) is None else {}


def numbered(code: str) -> str:
    """Return the code with the number of each line, as errors name them."""
    return "\n".join(f"{number:4} {line}" for number, line in enumerate(code.rstrip("\n").split("\n"), 1))


def described(errors: Sequence[BuildError]) -> str:
    """Return every error with its line and column, one a line."""
    return "\n".join(
        (f"line {each.line}, column {each.column}: " if each.line else "")
        + f"{each.message} ({each.rule})"
        + (f"\n    {each.excerpt}" if each.excerpt else "")
        for each in errors
    )


def _edited(text: str, base: str | None) -> str:
    if base is None:
        message = "there is no code to edit yet: answer with one block of TSX"
        raise NoCode((_problem("nothing-to-edit", message),))
    code = base.replace("\r\n", "\n")
    errors = []
    for number, block in enumerate(text.split(SEARCH)[1:], 1):
        before, middle, rest = block.partition(f"\n{MIDDLE}\n")
        after, end, _ = rest.partition(f"{REPLACE}")
        wanted = before.removeprefix("\n")
        count = code.count(wanted) if wanted.strip() else 0
        if not middle or not end:
            errors.append(_problem("edit-cut-off", f"edit {number} is not complete: it needs {MIDDLE} and {REPLACE}"))
        elif count != 1:
            errors.append(
                _problem("edit-no-match", f"edit {number} matches {count} places of the code, not exactly one")
            )
        else:
            code = code.replace(wanted, after.removesuffix("\n"), 1)
    if errors:
        raise NoCode(tuple(errors))
    return code


def _problem(rule: str, message: str) -> BuildError:
    return BuildError(kind="lint", rule=rule, message=message)
