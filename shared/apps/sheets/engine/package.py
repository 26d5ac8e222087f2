"""Read from an XLSX package what the engine does not tell: number formats, and the values that formulas had."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

from shared.apps.sheets.addresses import MOST_ROWS, column_number
from shared.apps.sheets.engine.facts import Run, joined, position
from shared.apps.sheets.engine.refusal import Unsupported

_CHUNK = 8 << 20  # bytes of XML that are searched at once
_CELL = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b([^>]*?)(?:/>|>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\b[^>]*?(?:/>|>([^<]*)</(?:\w+:)?v>))?"
)
_NAMELESS = re.compile(rb"<(?:\w+:)?c\b(?![^>]*\sr=\")[^>]*>")
_HIDDEN = re.compile(rb"<(?:\w+:)?row\b(?=[^>]*\shidden=\"(?:1|true)\")[^>]*\sr=\"([0-9]+)\"")
_ATTRIBUTE = re.compile(rb"\b(\w+)=\"([^\"]*)\"")
_PLACE = re.compile(rb"([A-Z]{1,3})([0-9]{1,7})")
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
    shared formula.
    """

    place: int
    text: str | None
    kind: str
    cached: str | None
    group: str | None = None
    array: bool = False


@dataclass
class FileSheet:
    """A sheet of the file. `odd` if its cells do not name their places, so that nothing more is known of them."""

    name: str
    hidden: bool
    part: str
    formulas: list[FileFormula] = field(default_factory=list)
    formats: dict[int, list[Run]] = field(default_factory=dict)
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    odd: bool = False


class Package:
    """An XLSX file. Raises Unsupported if it is none that can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
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

    def _read(self, archive: zipfile.ZipFile) -> None:
        workbook_part = _workbook_part(archive)
        relations = relations_of(archive, workbook_part)
        root = ElementTree.fromstring(archive.read(workbook_part))  # noqa: S314 - inspection refuses entities
        properties = _first(root, "workbookPr")
        self.date1904 = properties is not None and properties.get("date1904") in {"1", "true", "on"}
        self.sheets = [
            FileSheet(sheet.get("name") or "", sheet.get("state", "visible") != "visible", part)
            for sheet in _all(root, "sheet")
            if (part := relations.get(_relation_id(sheet), ("", ""))[1])
        ]
        styles = next((part for kind, part in relations.values() if kind == "styles"), None)
        self._formats = _formats(archive.read(styles)) if styles in archive.namelist() and styles else {}

    def _scan(self, archive: zipfile.ZipFile, sheet: FileSheet) -> None:
        styled = None
        if self._formats:
            styles = "|".join(map(str, self._formats))
            styled = re.compile(
                rf'<(?:\w+:)?c\b(?=[^>]*\ss="({styles})")[^>]*\sr="([A-Z]{{1,3}})([0-9]{{1,7}})"'.encode()
            )
        columns: dict[bytes, int] = {}
        hidden: list[Run] = []
        for chunk in _chunks(archive, sheet.part):
            sheet.odd = sheet.odd or _NAMELESS.search(chunk) is not None
            hidden.extend((int(row[1]), int(row[1]), "") for row in _HIDDEN.finditer(chunk))
            if styled is not None:
                for style, letters, row in styled.findall(chunk):
                    column = columns.get(letters) or columns.setdefault(letters, column_number(letters.decode()))
                    _extend(sheet.formats.setdefault(column, []), int(row), self._formats[int(style)])
            if b"<f" in chunk or b":f" in chunk:
                sheet.formulas.extend(_formulas(chunk))
        sheet.hidden_rows = [(first, last) for first, last, _ in joined(hidden)]
        sheet.formats = {column: joined(sorted(runs)) for column, runs in sheet.formats.items()}


def relations_of(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the relationships of a part within the package: id → the last word of its type, and the other part."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in archive.namelist():
        return {}
    root = ElementTree.fromstring(archive.read(rels))  # noqa: S314 - inspection refuses entities
    return {
        relation.get("Id", ""): (
            relation.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join(folder, target)) if not target.startswith("/") else target[1:],
        )
        for relation in root
        if (target := relation.get("Target", "")) and relation.get("TargetMode") != "External"
    }


def text_of(content: str) -> str:
    """Return a text of the file without its escapes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unescape(content))


def _workbook_part(archive: zipfile.ZipFile) -> str:
    for kind, part in relations_of(archive, "").values():
        if kind == "officeDocument":
            return part
    return "xl/workbook.xml"


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the XML of a sheet in pieces that end with a row."""
    rest = b""
    with archive.open(part) as source:
        while piece := source.read(_CHUNK):
            rest += piece
            end = max(rest.rfind(b"</row>"), rest.rfind(b":row>"))
            if end < 0:
                continue
            end = rest.index(b">", end) + 1
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _formulas(chunk: bytes) -> Iterator[FileFormula]:
    for cell, formula, text, cached in _CELL.findall(chunk):
        attributes = dict(_ATTRIBUTE.findall(cell))
        place = _PLACE.fullmatch(attributes.get(b"r", b""))
        if place is None or not 1 <= int(place[2]) <= MOST_ROWS:
            continue
        about = dict(_ATTRIBUTE.findall(formula))
        column = column_number(place[1].decode())
        yield FileFormula(
            position(int(place[2]), column),
            "=" + text_of(text.decode("utf-8", errors="replace")) if text else None,
            attributes.get(b"t", b"n").decode(),
            text_of(cached.decode("utf-8", errors="replace")) if cached else None,
            about[b"si"].decode() if about.get(b"t") == b"shared" and b"si" in about else None,
            about.get(b"t") in {b"array", b"dataTable"},
        )


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
