"""Read from an XLSX package what the engine does not tell: number formats, and the values that formulas had."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS, Area, column_number, parse_area
from shared.apps.sheets.cells import Scalar
from shared.apps.sheets.engine.facts import Run, joined, position
from shared.apps.sheets.engine.limits import MOST_CELLS
from shared.apps.sheets.engine.parts import Parts, opened
from shared.apps.sheets.engine.refusal import Unsupported

MOST_FILLED = 200_000
"""The most cells that array formulas may fill for their values to be read from the file."""

_CHUNK = 8 << 20  # bytes of XML that are searched at once
_FORMULA = (  # {} is the prefix of the elements
    rb"<{}c ([^>]*)>\s*<{}f\b([^>]*?)(?:/>|>([^<]*)</{}f>)\s*"
    rb"(?:<{}v\b[^>]*?(?:/>|>([^<]*)</{}v>))?"
)
_VALUE = rb"<{}c ([^>]*)>\s*<{}v\b[^>]*>([^<]*)</{}v>"
_FILLS = re.compile(rb"\bref=\"([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})\"")
_DATED = rb"<{}c (?=[^>]*\bt=\"d\")([^>]*)>\s*<{}v\b[^>]*>([^<]*)</{}v>"
_PADDED = re.compile(rb"<(?:\w+:)?v>\s|\s</(?:\w+:)?v>")
_PHONETIC = b"rPh"
_NAMELESS = rb"<{}c\b(?![^>]* r=\")"
_HIDDEN = re.compile(rb"<(?:\w+:)?row\b(?=[^>]* hidden=\"(?:1|true)\")[^>]* r=\"([0-9]+)\"")
_PROTECTED = re.compile(rb"<(?:\w+:)?sheetProtection\b[^>]*\bsheet=\"(?:1|true)\"")
_KIND = re.compile(rb"\bt=\"(\w+)\"")
_GROUP = re.compile(rb"\bsi=\"(\w+)\"")
_PLACE = re.compile(rb"\br=\"([A-Z]{1,3})([0-9]{1,7})\"")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")

# The number formats that files name by number only, as Excel shows them in American English.
_BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "m/d/yyyy",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "m/d/yyyy h:mm",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;[Red](#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;[Red](#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
}


@dataclass(frozen=True, slots=True)
class FileFormula:
    """A cell with a formula in the file: its text if it is written there, and the value that was kept with it.

    `kind` is the type of the value: n, b, e, str, or s for a text of the shared ones. `group` is the number of a
    shared formula, and `fills` the area of an array formula that has several cells.
    """

    place: int
    text: str | None
    kind: str
    cached: str | None
    group: str | None = None
    array: bool = False
    fills: Area | None = None


@dataclass
class FileSheet:
    """A sheet of the file. `odd` if its cells do not name their places, so that nothing more is known of them.

    `dates` are the cells without a formula whose value is a date as text (ISO 8601), each with that text.
    """

    name: str
    hidden: bool
    part: str
    formulas: list[FileFormula] = field(default_factory=list)
    formats: dict[int, list[Run]] = field(default_factory=dict)
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    dates: list[tuple[int, str]] = field(default_factory=list)
    odd: bool = False
    protected: bool = False


class Package:
    """An XLSX file. Raises Unsupported if it is none that can be read.

    `phonetic` are the parts whose texts have phonetic hints, which are no part of the text. `padded` are the parts of
    sheets with blanks around a value.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.phonetic: set[str] = set()
        self.padded: set[str] = set()
        self._read_texts: list[str] | None = None
        self._cells = 0
        try:
            with zipfile.ZipFile(path) as archive:
                self._read(archive)
        except (
            zipfile.BadZipFile,
            ElementTree.ParseError,
            KeyError,
            ValueError,
            OSError,
            NotImplementedError,
        ) as error:
            raise Unsupported(
                "The workbook's file is damaged. Open it in a spreadsheet program, save it as .xlsx, and upload that."
            ) from error

    def scan(self) -> None:
        """Read the formulas and formats of all sheets."""
        with zipfile.ZipFile(self.path) as archive:
            for sheet in self.sheets:
                if sheet.part in archive.namelist():
                    self._scan(archive, sheet)
            if self._texts is not None and _has(archive, self._texts, _PHONETIC):
                self.phonetic.add(self._texts)

    def values(self, sheet: FileSheet) -> dict[int, Scalar]:
        """Return the values that the file has in the cells which the sheet's array formulas fill, by their places.

        Return none if they are more than MOST_FILLED.
        """
        areas = [formula.fills for formula in sheet.formulas if formula.fills is not None]
        if sum(area.size for area in areas) > MOST_FILLED:
            return {}
        wanted = {position(cell.row, cell.column) for area in areas for cell in area.cells()}
        found: dict[int, Scalar] = {}
        with zipfile.ZipFile(self.path) as archive:
            for chunk in _chunks(archive, sheet.part) if wanted else ():
                prefix = b"" if b"<c " in chunk or b"<c>" in chunk else rb"\w+:"
                for about, value in _pattern(_VALUE, prefix).findall(chunk):
                    place = _PLACE.search(about)
                    if place is not None and (at := position(int(place[2]), _column(place[1]))) in wanted:
                        found[at] = self._value(archive, about, value)
        return found

    def _value(self, archive: zipfile.ZipFile, about: bytes, value: bytes) -> Scalar:
        """Return the value of a cell without a formula; None if it has none that is known here."""
        kind = _KIND.search(about)
        text = _decoded(value)
        match kind[1] if kind is not None else b"n":
            case b"n":
                return float(text)
            case b"b":
                return text.strip() in {"1", "true"}
            case b"s":
                texts = self._shared_texts(archive)
                return texts[int(text)] if int(text) < len(texts) else None
            case b"str" | b"e":
                return text
            case _:
                return None

    def _shared_texts(self, archive: zipfile.ZipFile) -> list[str]:
        """Return the shared texts without phonetic hints."""
        if self._read_texts is None:
            self._read_texts = []
            if self._texts is not None:
                root = ElementTree.fromstring(archive.read(self._texts))  # noqa: S314 - inspection refuses entities
                for entry in root:
                    kept = [each for each in entry if not each.tag.endswith("}rPh")]
                    parts = [part for each in kept for part in each.iter() if part.tag.endswith("}t")]
                    self._read_texts.append(text_of("".join(part.text or "" for part in parts)))
        return self._read_texts

    def _read(self, archive: zipfile.ZipFile) -> None:
        parts = Parts(archive)
        workbook = parts.workbook() or ""
        relations = parts.relations(workbook)
        sheets = {relation.id: relation.part for relation in relations}
        root = ElementTree.fromstring(archive.read(workbook))  # noqa: S314 - inspection refuses entities
        properties = _first(root, "workbookPr")
        self.date1904 = properties is not None and properties.get("date1904") in {"1", "true", "on"}
        self.sheets = [
            FileSheet(sheet.get("name") or "", sheet.get("state", "visible") != "visible", part)
            for sheet in _all(root, "sheet")
            if (part := sheets.get(_relation_id(sheet)))
        ]
        texts = (relation.part for relation in relations if relation.kind == "sharedStrings")
        self._texts = parts.find(next(texts, ""))
        styles = next((relation.part for relation in relations if relation.kind == "styles"), "")
        self._formats = _formats(archive.read(styles)) if parts.find(styles) else {}

    def _scan(self, archive: zipfile.ZipFile, sheet: FileSheet) -> None:
        hidden: list[Run] = []
        cells = 0
        for chunk in _chunks(archive, sheet.part):
            prefix = b"" if b"<c " in chunk or b"<c>" in chunk else rb"\w+:"
            named = chunk.count(b'<c r="')
            if named < chunk.count(b"<c") - chunk.count(b"<col") and _pattern(_NAMELESS, prefix).search(chunk):
                sheet.odd = True
            cells += named if not prefix else chunk.count(b":c ")
            if b"sheetProtection" in chunk:
                sheet.protected = _PROTECTED.search(chunk) is not None
            if _PHONETIC in chunk:
                self.phonetic.add(sheet.part)
            if _PADDED.search(chunk):
                self.padded.add(sheet.part)
            if b't="d"' in chunk:
                sheet.dates.extend(_dates(chunk, prefix))
            if b" hidden=" in chunk:
                hidden.extend((int(row[1]), int(row[1]), "") for row in _HIDDEN.finditer(chunk))
            if self._formats:
                self._note_formats(sheet, chunk, prefix)
            if b"<f" in chunk or b":f" in chunk:
                sheet.formulas.extend(_formulas(chunk, prefix))
        self._count(cells)
        sheet.hidden_rows = [(first, last) for first, last, _ in joined(hidden)]
        sheet.formats = {column: joined(sorted(runs)) for column, runs in sheet.formats.items()}

    def _note_formats(self, sheet: FileSheet, chunk: bytes, prefix: bytes) -> None:
        styles = b"|".join(str(style).encode() for style in self._formats)
        styled = rb"<{}c(?=[^>]* s=\"(" + styles + rb")\")[^>]* r=\"([A-Z]{1,3})([0-9]{1,7})\""
        for style, letters, row in _pattern(styled, prefix).findall(chunk):
            _extend(sheet.formats.setdefault(_column(letters), []), int(row), self._formats[int(style)])

    def _count(self, cells: int) -> None:
        self._cells += cells
        if self._cells > MOST_CELLS:
            raise Unsupported(f"The workbook has more than {MOST_CELLS:,} cells. Split it.")


def text_of(content: str) -> str:
    """Return a text of the file without its escapes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unescape(content))


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the XML of a sheet in pieces that end with a row."""
    rest = b""
    with opened(archive, part) as source:
        while piece := source.read(_CHUNK):
            rest += piece
            end = max(rest.rfind(b"</row>"), rest.rfind(b":row>"))
            if end < 0:
                continue
            end = rest.index(b">", end) + 1
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _has(archive: zipfile.ZipFile, part: str, mark: bytes) -> bool:
    """Return whether a part contains the mark."""
    before = b""
    with opened(archive, part) as source:
        while piece := source.read(_CHUNK):
            if mark in before + piece:
                return True
            before = piece[-len(mark) :]
    return False


def _dates(chunk: bytes, prefix: bytes) -> Iterator[tuple[int, str]]:
    for cell, text in _pattern(_DATED, prefix).findall(chunk):
        place = _PLACE.search(cell)
        if place is not None and 1 <= int(place[2]) <= MOST_ROWS:
            yield position(int(place[2]), _column(place[1])), text.decode("utf-8", errors="replace").strip()


def _formulas(chunk: bytes, prefix: bytes) -> Iterator[FileFormula]:
    for cell, about, text, cached in _pattern(_FORMULA, prefix).findall(chunk):
        place = _PLACE.search(cell)
        if place is None or not 1 <= int(place[2]) <= MOST_ROWS:
            continue
        kind = _KIND.search(cell) if b't="' in cell else None
        how = _KIND.search(about) if about else None
        group = _GROUP.search(about) if how is not None and how[1] == b"shared" else None
        yield FileFormula(
            position(int(place[2]), _column(place[1])),
            "=" + _decoded(text) if text else None,
            "n" if kind is None else kind[1].decode(),
            _decoded(cached) if cached else None,
            None if group is None else group[1].decode(),
            how is not None and how[1] in {b"array", b"dataTable"},
            _filled(about) if how is not None and how[1] == b"array" else None,
        )


@lru_cache(maxsize=256)
def _pattern(template: bytes, prefix: bytes) -> re.Pattern[bytes]:
    return re.compile(template.replace(b"{}", prefix))


@lru_cache(maxsize=MOST_COLUMNS)
def _column(letters: bytes) -> int:
    return column_number(letters.decode())


def _filled(about: bytes) -> Area | None:
    """Return the area that an array formula fills; None if it is one cell."""
    found = _FILLS.search(about)
    area = None if found is None else parse_area(found[1].decode())
    return area if area is not None and area.size > 1 else None


def _decoded(content: bytes) -> str:
    text = content.decode("utf-8", errors="replace")
    return text_of(text) if "&" in text or "_x" in text else text


def _extend(runs: list[Run], row: int, code: str) -> None:
    if runs and runs[-1][2] == code and runs[-1][1] + 1 == row:
        runs[-1] = (runs[-1][0], row, code)
    else:
        runs.append((row, row, code))


def _formats(styles: bytes) -> dict[int, str]:
    """Return the number formats other than General and Text, by the number of the cell style."""
    root = ElementTree.fromstring(styles)  # noqa: S314 - inspection refuses entities
    own = {int(found.get("numFmtId", "0")): found.get("formatCode", "") for found in _all(root, "numFmt")}
    formats: dict[int, str] = {}
    cells = _first(root, "cellXfs")
    for number, style in enumerate(cells if cells is not None else ()):
        kind = int(style.get("numFmtId", "0"))
        code = own.get(kind) or _BUILT_IN.get(kind)
        if code and code.lower() not in {"general", "@"}:
            formats[number] = code
    return formats


def _all(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def _first(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(_all(root, name), None)


def _relation_id(sheet: ElementTree.Element) -> str:
    return next((value for name, value in sheet.attrib.items() if name.endswith("}id")), "")
