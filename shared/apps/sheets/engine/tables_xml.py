"""Keep the headers of a table equal to the names of its columns when cells of its header row change."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from shared.apps.sheets.addresses import Area, Cell, parse_area
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine.cell_xml import attributes_of, safe_text, tag_of
from shared.apps.sheets.engine.formulas import with_columns
from shared.apps.sheets.engine.package import text_of
from shared.apps.sheets.engine.parts import Parts

LONGEST_HEADER = 255
"""Characters of a table's header."""

_TABLE = re.compile(rb"<(?:\w+:)?table\b([^>]*)>")
_COLUMN = re.compile(rb"<((?:\w+:)?tableColumn)\b([^>]*?)(/?)>")
_FORMULA = re.compile(
    rb"(<(?:\w+:)?(?:f|definedName|calculatedColumnFormula|totalsRowFormula)\b[^>/]*>)([^<]*\[[^<]*)(?=</)"
)


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table of a sheet: its part, name, area and the names of its columns. `headed` if it has a header row."""

    part: str
    name: str
    area: Area
    columns: tuple[str, ...]
    headed: bool


@dataclass(frozen=True, slots=True)
class Headers:
    """The new names of a table's columns, and the header cells that must be other than they were written."""

    table: FileTable
    names: tuple[str, ...]
    cells: Mapping[tuple[int, int], CellContent]

    @property
    def renamed(self) -> dict[str, str]:
        """Return the new name of each column that is renamed, by its old one."""
        pairs = zip(self.table.columns, self.names, strict=True)
        return {old: new for old, new in pairs if old != new}

    @property
    def losses(self) -> Iterator[str]:
        """Yield for people which headers are not as they were written."""
        for (row, column), content in self.cells.items():
            yield (
                f"header {Cell(row, column)} of the table {self.table.name}: it is written as {content.value!r}, "
                "because the headers of a table are different texts"
            )


def tables_of(archive: zipfile.ZipFile, parts: Parts, sheet: str) -> Iterator[FileTable]:
    """Yield the tables of the sheet in a part."""
    for relation in parts.relations(sheet):
        if relation.kind != "table" or parts.find(relation.part) is None:
            continue
        content = archive.read(relation.part)
        found = _TABLE.search(content)
        about = attributes_of(found[1]) if found is not None else {}
        if b"ref" in about:
            columns = (attributes_of(each[2]).get(b"name", b"") for each in _COLUMN.finditer(content))
            name = about.get(b"displayName", about.get(b"name", b""))
            area = parse_area(about[b"ref"].decode())
            texts = tuple(text_of(column.decode()) for column in columns)
            if len(texts) == area.columns:
                headed = about.get(b"headerRowCount") != b"0"
                yield FileTable(relation.part, text_of(name.decode()), area, texts, headed)


def headers_of(table: FileTable, written: Mapping[tuple[int, int], CellContent]) -> Headers | None:
    """Return the headers of a table after changes of cells; None if they are as in the file."""
    row, first = table.area.first.row, table.area.first.column
    changed = {
        index: written[row, first + index] for index in range(len(table.columns)) if (row, first + index) in written
    }
    if not table.headed or not changed:
        return None
    names = list(table.columns)
    taken = {name.casefold() for index, name in enumerate(names) if index not in changed}
    cells = {}
    for index, content in changed.items():
        names[index] = _free(_text(content) or f"Column{index + 1}", taken)
        taken.add(names[index].casefold())
        if content.value != names[index] or content.formula is not None:
            cells[row, first + index] = CellContent(names[index])
    return Headers(table, tuple(names), cells)


def with_names(content: bytes, names: tuple[str, ...]) -> bytes:
    """Return the part of a table with other names of its columns."""
    left = iter(names)

    def column(found: re.Match[bytes]) -> bytes:
        name = escape(safe_text(next(left)).replace("\n", "_x000a_"), {'"': "&quot;"}).encode()
        return tag_of(found[1], {**attributes_of(found[2]), b"name": name}, empty=bool(found[3]))

    return _COLUMN.sub(column, content)


def with_renamed(content: bytes, renamed: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return XML whose formulas name the columns of tables by their new names: table → old name → new name."""

    def formula(found: re.Match[bytes]) -> bytes:
        text = text_of(found[2].decode("utf-8", errors="replace"))
        changed = with_columns(text, renamed)
        return found[0] if changed == text else found[1] + escape(changed).encode()

    return _FORMULA.sub(formula, content)


def _text(content: CellContent) -> str:
    """Return the text of a cell as a header."""
    value = content.value
    text = str(value).upper() if isinstance(value, bool) else "" if value is None else str(value)
    return text if isinstance(value, str) else content.text or text


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a number behind it if another column has it."""
    name = name[:LONGEST_HEADER]
    found, number = name, 2
    while found.casefold() in taken:
        found, number = f"{name[: LONGEST_HEADER - 6]}{number}", number + 1
    return found
