"""Find the cells that a formula refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.apps.sheets.addresses import Area, BadAddress, parse_area

_TEXT = re.compile(r'"(?:[^"]|"")*"')
_REFERENCE = re.compile(
    r"(?:(?P<sheet>'(?:[^']|'')+'|[\w.]+)!)?"
    r"(?<![\w.$])(?P<range>\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6}(?::\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6})?)(?![\w(])"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of a formula: the sheet that it names, None for the formula's own, and the cells."""

    sheet: str | None
    area: Area


def references_in(formula: str) -> Iterator[Reference]:
    """Yield the references to cells and ranges in a formula. Whole columns and names are left out."""
    for found in _REFERENCE.finditer(_TEXT.sub('""', formula)):
        try:
            area = parse_area(found["range"])
        except BadAddress:
            continue
        sheet = found["sheet"]
        yield Reference(sheet.strip("'").replace("''", "'") if sheet else None, area)
