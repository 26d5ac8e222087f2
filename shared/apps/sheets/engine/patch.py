"""Write a copy of an uploaded package in which only the rows with changed cells are rewritten."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from shared.apps.sheets.addresses import Area, Cell, column_number, parse_area, parse_cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine.cell_xml import attributes_of, tag_of, written_cell
from shared.apps.sheets.engine.package import Package
from shared.apps.sheets.engine.parts import TYPES, Parts
from shared.apps.sheets.engine.styles_xml import Styles

_CHUNK = 8 << 20  # bytes of XML that are patched at once
_LEVEL = 4  # of the compression of a patched part
_CHAIN = re.compile(rb"<(?:\w+:)?(?:Override|Relationship)\b[^>]*calcChain[^>]*?(?:/>|></(?:\w+:)?\w+>)", re.IGNORECASE)
_CALCULATION = re.compile(rb"<(\w+:)?calcPr\b([^>]*?)(/?)>")
_BEFORE_CALCULATION = re.compile(rb"</(\w+:)?(?:sheets|functionGroups|externalReferences|definedNames)>")
_DIMENSION = re.compile(rb'(<(?:\w+:)?dimension\b[^>]*\bref=")([^"]*)(")')
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^>]*?(?:/>|>.*?</(?:\w+:)?f>)", re.DOTALL)
_GROUP = re.compile(rb'<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b([^>]*\bt="(?:shared|array)"[^>]*?)(/?)>')


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
    """

    cells: Mapping[int, Mapping[int, CellPatch]]
    content: Callable[[int, int], CellContent]
    hidden: Callable[[int], bool] | None = None
    formats: Sequence[tuple[Area, str]] = ()


def patch(source: Path, target: Path, sheets: Mapping[str, SheetPatch]) -> None:
    """Write the package `source` with these changes, by the names of its sheets, to `target`.

    Every part without a change is the same byte for byte. The calculation chain is left out, and the program that opens
    the file computes it again. Raises KeyError if the package does not have one of the sheets.
    """
    package = Package(source)
    parts = {sheet.name: sheet.part for sheet in package.sheets}
    patches = {parts[name]: found for name, found in sheets.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        known = Parts(old)
        workbook = known.workbook() or ""
        listing = {known.find(TYPES), known.relations_part(workbook)}
        styles = _styles(old, known, workbook, patches.values())
        for item in old.infolist():
            if item.filename in patches:
                with new.open(_copied(item), "w", force_zip64=True) as to:
                    _patch_sheet(old, item.filename, to, patches[item.filename], styles)
            elif styles is not None and item.filename == styles.part:
                continue  # it is written last, because the sheets add to it
            elif patches and "calcchain" in item.filename.casefold():
                continue
            elif patches and item.filename in listing:
                new.writestr(_copied(item), _CHAIN.sub(b"", old.read(item)))
            elif patches and item.filename == workbook:
                new.writestr(_copied(item), _calculated(old.read(item)))
            else:
                new.writestr(item, old.read(item), compress_type=item.compress_type)
        if styles is not None:
            new.writestr(_copied(old.getinfo(styles.part)), styles.written())


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


def _patch_sheet(archive: zipfile.ZipFile, part: str, to: IO[bytes], sheet: SheetPatch, styles: Styles | None) -> None:
    patcher = _SheetPatcher(sheet, _Groups(archive, part), styles if sheet.formats else None)
    for chunk in _chunks(archive, part):
        to.write(patcher.patched(chunk))


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the XML of a sheet in pieces that end with a row; the last one has everything behind the rows."""
    rest = b""
    with archive.open(part) as source:
        while piece := source.read(_CHUNK):
            rest += piece
            end = max(rest.rfind(b"</row>"), rest.rfind(b":row>"))
            if end >= 0:
                end = rest.index(b">", end) + 1
                yield rest[:end]
                rest = rest[end:]
    yield rest


@dataclass
class _Groups:
    """The groups of cells with one formula in a sheet: by the group's first cell, its area, number and kind."""

    archive: zipfile.ZipFile
    part: str
    shared: dict[tuple[int, int], bytes] = field(default_factory=dict)
    members: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    arrays: dict[tuple[int, int], Area] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for chunk in _chunks(self.archive, self.part):
            for cell, formula, empty in _GROUP.findall(chunk):
                self._add(attributes_of(b" " + cell), attributes_of(b" " + formula), child=bool(empty))

    def _add(self, cell: dict[bytes, bytes], formula: dict[bytes, bytes], *, child: bool) -> None:
        if b"r" not in cell:
            return
        found = parse_cell(cell[b"r"].decode())
        at = (found.row, found.column)
        if formula[b"t"] == b"array":
            self.arrays[at] = parse_area(formula.get(b"ref", cell[b"r"]).decode())
            return
        self.members.setdefault(formula.get(b"si", b""), []).append(at)
        if not child:
            self.shared[at] = formula.get(b"si", b"")

    def broken_by(self, cells: Mapping[int, Mapping[int, CellPatch]]) -> Iterator[tuple[int, int]]:
        """Yield the cells that must be written with formulas of their own, because another cell of theirs changes."""
        for at, number in self.shared.items():
            if _is_rewritten(cells, at):
                yield from self.members[number]
        for at, area in self.arrays.items():
            rows = (row for row in cells if area.first.row <= row <= area.last.row)
            if any(
                Cell(row, column) in area and not cells[row][column].computed for row in rows for column in cells[row]
            ):
                yield at


def _is_rewritten(cells: Mapping[int, Mapping[int, CellPatch]], at: tuple[int, int]) -> bool:
    found = cells.get(at[0], {}).get(at[1])
    return found is not None and not found.computed


class _SheetPatcher:
    """Patches the XML of one sheet, piece by piece."""

    def __init__(self, sheet: SheetPatch, groups: _Groups, styles: Styles | None) -> None:
        self._sheet = sheet
        self._styles = styles
        self._cells = {row: dict(cells) for row, cells in sheet.cells.items()}
        for row, column in groups.broken_by(sheet.cells):
            alone = CellPatch(sheet.content(row, column))
            at = self._cells.setdefault(row, {})
            if column not in at or at[column].computed:
                at[column] = alone
        self._left = sorted(self._cells, reverse=True)
        self._row = 0
        self._prefix: bytes | None = None
        self._ended = False

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
        formula = _FORMULA.search(element) if change.computed else None
        return written_cell(
            self._prefix or b"",
            row,
            column,
            change.content,
            style=new_style,
            formula=formula[0] if formula is not None else None,
        )

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
