"""Inspect an uploaded file before anything loads it: what it is by its contents, and whether it is safe to unpack."""

from __future__ import annotations

import csv
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from shared.apps.sheets.addresses import MOST_COLUMNS
from shared.apps.sheets.engine import csv_text, limits
from shared.apps.sheets.workbook import UnsupportedFile

SAVE_AS_XLSX = "Open it in a spreadsheet program, save it as .xlsx, and upload that."
_OR_CSV = "Upload an .xlsx or .csv file."

_MAGIC = {
    b"%PDF-": "a PDF",
    b"\x89PNG": "an image (PNG)",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"GIF8": "an image (GIF)",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"{\\rtf": "a text document (RTF)",
    b"SQLite format 3": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
}
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, struct.error)
_MARKUP = re.compile(rb"\s*<(?:!doctype\s+html|html|\?xml|script|svg|\?php)", re.IGNORECASE)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PIECE = 1 << 20  # bytes that are looked at together
_PROLOG = 64 * 1024  # bytes in which a part's first element must begin
_PROLOG_PARTS = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f]")

_KINDS = {
    "charts": re.compile(r"xl/charts/chart[^/]*\.xml"),
    "tables": re.compile(r"xl/tables/[^/]+\.xml"),
    "comments": re.compile(r"xl/(?:.*/)?comments[^/]*\.xml"),
    "images": re.compile(r"xl/media/[^/]+"),
    "pivots": re.compile(r"xl/pivotTables/[^/]+\.xml"),
    "externalLinks": re.compile(r"xl/externalLinks/[^/]+\.xml"),
    "embeddings": re.compile(r"xl/(?:embeddings|activeX)/[^/]+"),
}
_MARKS = {"validations": b"<dataValidation ", "conditionalFormats": b"<conditionalFormatting"}
_CELL_MARKS = (b"<c ", b"<c>", b":c r=")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_FOREIGN = (
    ("word/", "a Word document"),
    ("ppt/", "a presentation"),
    ("Index/Document.iwa", "a Numbers document"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is: `format` is `xlsx` or `csv`; `parts` counts what an XLSX file has besides cells, by kind."""

    format: str
    parts: Mapping[str, int] = field(default_factory=dict)


def inspect(file: Path) -> Inspection:
    """Return what the file is. Raises UnsupportedFile with what is wrong and what to do."""
    size = file.stat().st_size
    if size == 0:
        raise UnsupportedFile(f"The file is empty. {_OR_CSV}")
    if size > limits.MOST_BYTES:
        raise UnsupportedFile(f"The file has {_mega(size)}; {_mega(limits.MOST_BYTES)} are possible. Split it.")
    with file.open("rb") as source:
        head = source.read(4096)
    if head.startswith(_OLE):
        raise UnsupportedFile(
            "The file is encrypted or in the old .xls format. Open it in a spreadsheet program and save it as .xlsx "
            "without a password."
        )
    if head.startswith(_ZIP):
        return _inspect_package(file, size)
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            raise UnsupportedFile(f"The file is {name}, whatever its name says. {_OR_CSV}")
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise UnsupportedFile(f"The file is a web page or XML. {SAVE_AS_XLSX}")
    _inspect_text(file)
    return Inspection("csv")


def _inspect_package(file: Path, size: int) -> Inspection:
    try:
        with zipfile.ZipFile(file) as archive:
            items = archive.infolist()
            _check_sizes(items, size)
            names = [item.filename for item in items]
            _check_kind(archive, names)
            parts = {kind: count for kind, pattern in _KINDS.items() if (count := _count(pattern, names))}
            return Inspection("xlsx", {**parts, **_look_into(archive, names)})
    except _DAMAGES as error:
        raise UnsupportedFile(f"The file is damaged, perhaps cut off while it was sent. {SAVE_AS_XLSX}") from error


def _check_sizes(items: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse archives that unpack to far more than they are, by the sizes that they name themselves."""
    if len(items) > limits.MOST_PARTS:
        raise UnsupportedFile(f"The file has {len(items):,} parts; {limits.MOST_PARTS:,} are possible. {SAVE_AS_XLSX}")
    unpacked = sum(item.file_size for item in items)
    if unpacked > limits.MOST_UNPACKED:
        raise UnsupportedFile(
            f"The file unpacks to {_mega(unpacked)}; {_mega(limits.MOST_UNPACKED)} are possible. Split the workbook."
        )
    if sum(item.compress_size for item in items) > size or len({item.filename for item in items}) < len(items):
        raise UnsupportedFile(f"The file is damaged: its parts overlap. {SAVE_AS_XLSX}")
    for item in items:
        if item.flag_bits & 0x1:
            raise UnsupportedFile("The file has a password. Save it as .xlsx without a password.")
        if item.file_size > limits.MOST_RATIO * max(item.compress_size, 1024):
            raise UnsupportedFile(
                f"A part of the file ({item.filename[:80]}) unpacks to more than {limits.MOST_RATIO} times its size. "
                f"{SAVE_AS_XLSX}"
            )


def _check_kind(archive: zipfile.ZipFile, names: list[str]) -> None:
    """Refuse what is no workbook, and workbooks with macros or connections."""
    if "mimetype" in names and b"opendocument" in archive.read("mimetype")[:200]:
        raise UnsupportedFile(f"The file is an OpenDocument. {SAVE_AS_XLSX}")
    for start, name in _FOREIGN:
        if any(part.startswith(start) for part in names):
            raise UnsupportedFile(f"The file is {name}. {_OR_CSV}")
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise UnsupportedFile(f"The file is an archive without a workbook. {_OR_CSV}")
    if any(name.endswith("workbook.bin") for name in names):
        raise UnsupportedFile(f"The file is a binary workbook (.xlsb). {SAVE_AS_XLSX}")
    types = archive.read("[Content_Types].xml").lower()
    macros = b"macroenabled" in types or b"vbaproject" in types or b"macrosheet" in types
    if macros or any("vbaproject" in name.lower() or name.startswith("xl/macrosheets/") for name in names):
        raise UnsupportedFile("The workbook has macros, which are not accepted. Save it as .xlsx, which has none.")
    if "xl/connections.xml" in names or any(name.startswith("xl/queryTables/") for name in names):
        raise UnsupportedFile(
            "The workbook takes data from outside it (data connections), which is not accepted. Delete its connections "
            "(in Excel: Data, Queries & Connections), save it, and upload it again."
        )
    sheets = _count(_SHEET, names)
    if sheets > limits.MOST_SHEETS:
        raise UnsupportedFile(f"The workbook has {sheets} sheets; {limits.MOST_SHEETS} are possible. Split it.")


def _look_into(archive: zipfile.ZipFile, names: list[str]) -> dict[str, int]:
    """Read all XML once: refuse document types, count the cells and what sheets have besides them."""
    found = dict.fromkeys(_MARKS, 0)
    cells = 0
    for name in names:
        if not name.endswith((".xml", ".rels", ".vml")):
            continue
        sheet = _SHEET.fullmatch(name) is not None
        with archive.open(name) as part:
            head = part.read(_PROLOG)
            if _declares(head):
                raise UnsupportedFile(f"The file is unsafe: {name[:80]} declares a document type. {SAVE_AS_XLSX}")
            if not sheet:
                continue
            for piece in _pieces(head, part):
                cells += sum(piece.count(mark) for mark in _CELL_MARKS)
                for kind, mark in _MARKS.items():
                    found[kind] += piece.count(mark)
        if cells > limits.MOST_CELLS:
            raise UnsupportedFile(f"The workbook has more than {limits.MOST_CELLS:,} cells. Split it.")
    return {kind: count for kind, count in found.items() if count}


def _pieces(head: bytes, part: IO[bytes]) -> Iterator[bytes]:
    """Yield a part piece by piece, each ending with the end of a tag or text, so that no mark is cut."""
    rest = head
    while piece := part.read(_PIECE):
        rest += piece
        end = rest.rfind(b"<")
        if end > 0:
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _declares(head: bytes) -> bool:
    """Tell whether XML declares a document type before its first element, or hides where that is."""
    text = _decoded(head)
    position = 0
    while found := _PROLOG_PARTS.match(text, position):
        position = found.end()
    if position == len(text):
        return len(head) >= _PROLOG
    return text[position] != "<" or text.startswith("<!", position) or "<!ENTITY" in text


def _decoded(head: bytes) -> str:
    wide = csv_text.utf_16_without_mark(head[:256])
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = "utf-16"
    return head.decode(wide or "utf-8", errors="replace").lstrip("\ufeff")


def _inspect_text(file: Path) -> None:
    content = file.read_bytes()
    text, encoding = csv_text.decode(content)
    if "\0" in text:
        raise UnsupportedFile(f"The file is neither a workbook nor text: it has zero bytes. {_OR_CSV}")
    sample = text[: csv_text.SAMPLE]
    if len(_CONTROL.findall(sample)) > len(sample) // 20 or (encoding.startswith("utf-16") and "\ufffd" in sample):
        raise UnsupportedFile(f"The file is neither a workbook nor text. {_OR_CSV}")
    if not text.strip():
        raise UnsupportedFile(f"The file has no content but spaces. {_OR_CSV}")
    if any(len(line) > limits.LONGEST_LINE for line in csv_text.lines_of(text)):
        raise UnsupportedFile(
            "The file has a line of more than 1,000,000 characters, so it is no CSV. Save it as CSV again."
        )
    delimiter = csv_text.find_delimiter(sample)
    for line in csv_text.lines_of(text):
        if line.count(delimiter) >= MOST_COLUMNS and len(next(csv.reader([line], delimiter=delimiter))) > MOST_COLUMNS:
            raise UnsupportedFile(f"The file has more than {MOST_COLUMNS:,} columns. Split it.")


def _count(pattern: re.Pattern[str], names: list[str]) -> int:
    return sum(pattern.fullmatch(name) is not None for name in names)


def _mega(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB".replace(".0 MB", " MB")
