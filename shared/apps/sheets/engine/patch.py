"""Write a copy of an uploaded package in which only the rows with changed cells are rewritten."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from shared.apps.sheets.addresses import Area, Cell, column_number, parse_area
from shared.apps.sheets.cells import EMPTY, CellContent
from shared.apps.sheets.engine.cell_xml import attributes_of, tag_of, written_cell, written_formula
from shared.apps.sheets.engine.formula_groups import FormulaGroups, array_areas
from shared.apps.sheets.engine.package import Package
from shared.apps.sheets.engine.parts import TYPES, Parts, opened
from shared.apps.sheets.engine.styles_xml import Styles
from shared.apps.sheets.engine.tables_xml import Headers, headers_of, tables_of, with_names, with_renamed

_CHUNK = 8 << 20  # bytes of XML that are patched at once
_LEVEL = 4  # of the compression of a patched part
_CHAIN = re.compile(rb"<(?:\w+:)?(?:Override|Relationship)\b[^>]*calcChain[^>]*?(?:/>|></(?:\w+:)?\w+>)", re.IGNORECASE)
_CALCULATION = re.compile(rb"<(\w+:)?calcPr\b([^>]*?)(/?)>")
_BEFORE_CALCULATION = re.compile(rb"</(\w+:)?(?:sheets|functionGroups|externalReferences|definedNames)>")
_DIMENSION = re.compile(rb'(<(?:\w+:)?dimension\b[^>]*\bref=")([^"]*)(")')
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^>]*?(?:/>|>.*?</(?:\w+:)?f>)", re.DOTALL)
_REF = re.compile(rb'\bref="[^"]*"')


@dataclass(frozen=True, slots=True)
class CellPatch:
    """The new content of a cell. If it is `computed`, its formula is the file's own, and only its value has changed."""

    content: CellContent
    computed: bool = False


@dataclass(frozen=True, slots=True)
class SheetPatch:
    """What changes in a sheet: its cells by row and column, and which rows are hidden; None if that has not changed.

    `content` returns any cell of the sheet as it is now: cells of a shared formula that loses its first cell are
    written with their own formulas. `formats` are number formats of areas; a later one replaces an earlier one.
    `filled` returns the areas that the formulas in some cells fill now; None if that is not known any more.
    """

    cells: Mapping[int, Mapping[int, CellPatch]]
    content: Callable[[int, int], CellContent]
    hidden: Callable[[int], bool] | None = None
    formats: Sequence[tuple[Area, str]] = ()
    filled: Callable[[Sequence[Cell]], Sequence[Area] | None] = lambda _cells: None


def patch(source: Path, target: Path, sheets: Mapping[str, SheetPatch]) -> tuple[str, ...]:
    """Write the package `source` with these changes, by the names of its sheets, to `target`; return what is lost.

    Every part without a change is the same byte for byte. The calculation chain is left out, and the program that opens
    the file computes it again. Raises KeyError if the package does not have one of the sheets.
    """
    package = Package(source)
    parts = {sheet.name: sheet.part for sheet in package.sheets}
    patches = {parts[name]: found for name, found in sheets.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        return _Patching(old, new, patches, set(parts.values())).run()


class _Patching:
    """One call of `patch`. `patches` are by the names of the sheets' parts, `sheets` the names of all of these."""

    def __init__(
        self, old: zipfile.ZipFile, new: zipfile.ZipFile, patches: Mapping[str, SheetPatch], sheets: set[str]
    ) -> None:
        self._old, self._new = old, new
        self._sheets = sheets
        parts = Parts(old)
        self._workbook = parts.workbook() or ""
        self._listing = {parts.find(TYPES), parts.relations_part(self._workbook)}
        self._styles = _styles(old, parts, self._workbook, patches.values())
        self._headers: dict[str, Headers] = {}
        self._losses: list[str] = []
        self._patches = {part: self._with_headers(parts, part, found) for part, found in patches.items()}
        self._renamed = {each.table.name: each.renamed for each in self._headers.values() if each.renamed}

    def run(self) -> tuple[str, ...]:
        """Write all parts."""
        for item in self._old.infolist():
            if self._patches and "calcchain" in item.filename.casefold():
                continue
            if self._styles is None or item.filename != self._styles.part:
                self._write(item)
        if self._styles is not None:  # it is written last, because the sheets add to it
            self._new.writestr(_copied(self._old.getinfo(self._styles.part)), self._styles.written())
        return tuple(self._losses)

    def _write(self, item: zipfile.ZipInfo) -> None:
        name = item.filename
        if name in self._patches or (self._renamed and name in self._sheets):
            with self._new.open(_copied(item), "w", force_zip64=True) as to:
                self._write_sheet(name, to)
            return
        content = before = self._old.read(item)
        if self._patches and name in self._listing:
            content = _CHAIN.sub(b"", content)
        elif self._patches and name == self._workbook:
            content = with_renamed(_calculated(content), self._renamed)
        elif name in self._headers:
            content = with_renamed(with_names(content, self._headers[name].names), self._renamed)
        if content is before:
            self._new.writestr(item, content, compress_type=item.compress_type)
        else:
            self._new.writestr(_copied(item), content)

    def _write_sheet(self, part: str, to: IO[bytes]) -> None:
        sheet = self._patches.get(part, SheetPatch({}, lambda _row, _column: EMPTY))
        groups = FormulaGroups.of(_chunks(self._old, part))
        patcher = _SheetPatcher(sheet, groups, self._styles if sheet.formats else None)
        self._losses.extend(patcher.losses)
        for chunk in _chunks(self._old, part):
            patched = patcher.patched(chunk)
            to.write(with_renamed(patched, self._renamed) if self._renamed else patched)

    def _with_headers(self, parts: Parts, part: str, sheet: SheetPatch) -> SheetPatch:
        """Return the patch with the headers of tables as they must be, and note the tables that they are of."""
        cells = {row: dict(found) for row, found in sheet.cells.items()}
        written = {(row, column): cell.content for row, found in cells.items() for column, cell in found.items()}
        for table in tables_of(self._old, parts, part) if written else ():
            headers = headers_of(table, written)
            if headers is not None:
                self._headers[table.part] = headers
                self._losses.extend(headers.losses)
                for (row, column), content in headers.cells.items():
                    cells[row][column] = CellPatch(content)
        return replace(sheet, cells=cells)


def _copied(item: zipfile.ZipInfo) -> zipfile.ZipInfo:
    copied = zipfile.ZipInfo(item.filename, item.date_time)
    copied.compress_type, copied.external_attr = zipfile.ZIP_DEFLATED, item.external_attr
    copied._compresslevel = _LEVEL  # type: ignore[attr-defined]  # writestr has a parameter for it, open has none
    return copied


def _calculated(workbook: bytes) -> bytes:
    """Return the workbook part changed so that the program that opens it computes all formulas."""
    found = _CALCULATION.search(workbook)
    if found is not None:
        prefix = found[1] or b""
        attributes = {**attributes_of(b" " + found[2]), b"fullCalcOnLoad": b"1"}
        element = tag_of(prefix + b"calcPr", attributes, empty=bool(found[3]))
        return workbook[: found.start()] + element + workbook[found.end() :]
    ends = list(_BEFORE_CALCULATION.finditer(workbook))
    if not ends:
        return workbook
    element = tag_of((ends[-1][1] or b"") + b"calcPr", {b"fullCalcOnLoad": b"1"}, empty=True)
    return workbook[: ends[-1].end()] + element + workbook[ends[-1].end() :]


def _styles(archive: zipfile.ZipFile, parts: Parts, workbook: str, sheets: Iterable[SheetPatch]) -> Styles | None:
    """Return the styles of the package if a sheet needs other ones; None if none does, or the package has no styles."""
    part = next((relation.part for relation in parts.relations(workbook) if relation.kind == "styles"), "")
    if not parts.find(part) or not any(sheet.formats for sheet in sheets):
        return None
    return Styles(part, archive.read(part))


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the XML of a sheet in pieces that end with a row; the last one has everything behind the rows."""
    rest = b""
    with opened(archive, part) as source:
        while piece := source.read(_CHUNK):
            rest += piece
            end = max(rest.rfind(b"</row>"), rest.rfind(b":row>"))
            if end >= 0:
                end = rest.index(b">", end) + 1
                yield rest[:end]
                rest = rest[end:]
    yield rest


class _SheetPatcher:
    """Patches the XML of one sheet, piece by piece."""

    def __init__(self, sheet: SheetPatch, groups: FormulaGroups, styles: Styles | None) -> None:
        self._sheet = sheet
        self._styles = styles
        self._cells = {row: dict(cells) for row, cells in sheet.cells.items()}
        written = {
            (row, column): cell.content
            for row, cells in sheet.cells.items()
            for column, cell in cells.items()
            if not cell.computed
        }
        for at in groups.left_alone(written):
            self._write(at, CellPatch(sheet.content(*at)))
        self._fills, self.losses = array_areas(groups, written, sheet.filled, sheet.content)
        for at in self._fills:
            self._write(at, CellPatch(sheet.content(*at), computed=at not in written))
        self._left = sorted(self._cells, reverse=True)
        self._row = 0
        self._prefix: bytes | None = None
        self._ended = False

    def _write(self, at: tuple[int, int], cell: CellPatch) -> None:
        cells = self._cells.setdefault(at[0], {})
        if at[1] not in cells or cells[at[1]].computed:
            cells[at[1]] = cell

    def patched(self, chunk: bytes) -> bytes:
        """Return the next piece with its changes."""
        if self._ended:
            return chunk
        if self._prefix is None:
            chunk = self._start(chunk)
        out: list[bytes] = []
        end = 0
        for found in self._rows.finditer(chunk):
            out.append(chunk[end : found.start()])
            number = attributes_of(found[1]).get(b"r")
            self._row = int(number) if number else self._row + 1
            out.extend(self._new_rows(before=self._row))
            out.append(self._patched_row(found))
            end = found.end()
        return b"".join((*out, self._finished(chunk[end:])))

    def _start(self, chunk: bytes) -> bytes:
        """Read how the sheet's elements are written, and widen the sheet's dimension."""
        found = re.search(rb"<(\w+:)?sheetData\b", chunk)
        self._prefix = prefix = (found[1] or b"") if found else b""
        self._rows = re.compile(rb"<%srow\b([^>]*?)(?:/>|>(.*?)</%srow>)" % (prefix, prefix), re.DOTALL)
        self._cell = re.compile(rb"<%sc\b([^>]*?)(?:/>|>(.*?)</%sc>)" % (prefix, prefix), re.DOTALL)
        head = found.start() if found else 0
        chunk = _DIMENSION.sub(self._widened, chunk[:head]) + chunk[head:]
        return re.sub(rb"<(%ssheetData)\s*/>" % prefix, rb"<\1></\1>", chunk, count=1)

    def _widened(self, found: re.Match[bytes]) -> bytes:
        area = parse_area(found[2].decode())
        rows = [row for row, cells in self._cells.items() if cells]
        columns = [column for cells in self._cells.values() for column in cells]
        if not rows:
            return found[0]
        first = Cell(min(area.first.row, *rows), min(area.first.column, *columns))
        last = Cell(max(area.last.row, *rows), max(area.last.column, *columns))
        return found[1] + str(Area(first, last)).encode() + found[3]

    def _finished(self, rest: bytes) -> bytes:
        """Return what follows the last row of a piece; behind the last row of all, with the rows that are left."""
        close = b"</%ssheetData>" % (self._prefix or b"")
        at = rest.find(close)
        if at < 0:
            return rest
        self._ended = True
        return rest[:at] + b"".join(self._new_rows(before=None)) + rest[at:]

    def _new_rows(self, *, before: int | None) -> Iterator[bytes]:
        """Yield the changed rows before this one that the file does not have."""
        while self._left and (before is None or self._left[-1] < before):
            row = self._left.pop()
            written = self._written(row, {}, self._cells[row])
            if written:
                yield self._row_of(row, {b"r": str(row).encode()}, written)

    def _patched_row(self, found: re.Match[bytes]) -> bytes:
        changes: Mapping[int, CellPatch] = {}
        if self._left and self._left[-1] == self._row:
            changes = self._cells[self._left.pop()]
        attributes = attributes_of(found[1])
        hidden = self._is_hidden(attributes)
        if not changes and not hidden[0] and self._styles is None:
            return found[0]
        old = dict(self._old_cells(found[2] or b""))
        written = self._written(self._row, old, changes)
        if not hidden[0] and written == (found[2] or b""):
            return found[0]
        attributes.pop(b"spans", None)
        attributes.pop(b"hidden", None)
        if hidden[1]:
            attributes[b"hidden"] = b"1"
        return self._row_of(self._row, attributes, written)

    def _is_hidden(self, attributes: dict[bytes, bytes]) -> tuple[bool, bool]:
        """Return whether it changes that the row is hidden, and whether it is then."""
        was = attributes.get(b"hidden") in {b"1", b"true"}
        now = was if self._sheet.hidden is None else self._sheet.hidden(self._row)
        return was != now, now

    def _row_of(self, row: int, attributes: dict[bytes, bytes], cells: bytes) -> bytes:
        prefix = self._prefix or b""
        if self._sheet.hidden is not None and self._sheet.hidden(row):
            attributes[b"hidden"] = b"1"
        return b"%s%s</%srow>" % (tag_of(prefix + b"row", attributes), cells, prefix)

    def _old_cells(self, row: bytes) -> Iterator[tuple[int, tuple[dict[bytes, bytes], bytes]]]:
        """Yield the cells of a row as they are: their attributes and their element, by column."""
        column = 0
        for found in self._cell.finditer(row):
            attributes = attributes_of(found[1])
            name = attributes.get(b"r", b"").rstrip(b"0123456789").decode()
            column = column_number(name) if name else column + 1
            yield column, (attributes, found[0])

    def _written(
        self, row: int, old: dict[int, tuple[dict[bytes, bytes], bytes]], changes: Mapping[int, CellPatch]
    ) -> bytes:
        return b"".join(
            self._one(row, column, old.get(column), changes.get(column)) for column in sorted({*old, *changes})
        )

    def _one(
        self, row: int, column: int, old: tuple[dict[bytes, bytes], bytes] | None, change: CellPatch | None
    ) -> bytes:
        """Return the element of one cell."""
        attributes, element = old or ({}, b"")
        style = attributes.get(b"s")
        new_style = self._style(row, column, style)
        if change is None:
            return element if new_style == style else _restyled(element, new_style)
        formula = self._formula(row, column, element, change)
        return written_cell(
            self._prefix or b"",
            row,
            column,
            change.content,
            style=new_style,
            formula=formula,
            metadata=attributes.get(b"cm") if change.computed else None,
        )

    def _formula(self, row: int, column: int, element: bytes, change: CellPatch) -> bytes | None:
        """Return the element of a formula that is the file's own, or fills an area; None for any other one."""
        area = self._fills.get((row, column))
        found = _FORMULA.search(element) if change.computed else None
        if found is not None:
            return found[0] if area is None else _REF.sub(b'ref="%s"' % str(area).encode(), found[0], count=1)
        if area is None or change.content.formula is None:
            return None
        return written_formula(self._prefix or b"", change.content.formula, area)

    def _style(self, row: int, column: int, style: bytes | None) -> bytes | None:
        """Return the style that a cell with this style has now."""
        codes = [code for area, code in self._sheet.formats if Cell(row, column) in area]
        return self._styles.with_format(style, codes[-1]) if self._styles is not None and codes else style


def _restyled(element: bytes, style: bytes | None) -> bytes:
    """Return a cell's element with another style."""
    head, end, rest = element.partition(b">")
    empty = head.endswith(b"/")
    name = head[1:].split(None, 1)[0].rstrip(b"/")
    attributes = attributes_of(head)
    if style is not None:
        attributes[b"s"] = style
    return tag_of(name, attributes, empty=empty)[:-1] + end + rest
