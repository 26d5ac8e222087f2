"""Inspect an uploaded file before anything loads it: what it is by its contents, and whether it is safe to unpack."""

from __future__ import annotations

import csv
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from shared.apps.sheets.addresses import MOST_COLUMNS
from shared.apps.sheets.engine import csv_text, limits
from shared.apps.sheets.engine.parts import PROLOG, TYPES, Parts, UnsafePart, declares_document_type, key_of
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
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    OSError,
    NotImplementedError,
    struct.error,
    ElementTree.ParseError,
)
_MARKUP = re.compile(rb"\s*<(?:!doctype\s+html|html|\?xml|script|svg|\?php)", re.IGNORECASE)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PIECE = 1 << 20  # bytes that are looked at together
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f]")

_KINDS = {  # by the kinds of relationships
    "chart": "charts",
    "chartEx": "charts",
    "table": "tables",
    "comments": "comments",
    "image": "images",
    "pivotTable": "pivots",
    "externalLink": "externalLinks",
    "oleObject": "embeddings",
    "package": "embeddings",
    "control": "embeddings",
    "ctrlProp": "embeddings",
}
_MACROS = re.compile("macroenabled|vbaproject|macrosheet", re.IGNORECASE)  # in content types
_OF_A_MAC = "__macosx/"
_MARKS = {
    "validations": b"<dataValidation ",
    "conditionalFormats": b"<conditionalFormatting",
    "protections": b"<sheetProtection ",
}
_STRUCTURE_LOCK = re.compile(rb"<(?:\w+:)?workbookProtection\b[^>]*\blockStructure\s*=\s*[\"'](?:1|true|on)[\"']")
_TEXT_MARKS = (b"<si>", b":si>", b"<si ")
_CELL_MARKS = (b"<c ", b"<c>", b":c r=")
_FOREIGN = (
    ("word/", "a Word document"),
    ("ppt/", "a presentation"),
    ("index/document.iwa", "a Numbers document"),
    ("meta-inf/manifest.mf", "a Java archive"),
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
            parts = Parts(archive)
            _check_kind(archive, parts, items)
            reached = parts.reached()
            _check_contents(parts, reached, items)
            kinds = Counter(_KINDS[kind] for kind in reached.values() if kind in _KINDS)
            locks = _STRUCTURE_LOCK.search(archive.read(str(parts.workbook())))
            structure = {"structureProtections": 1} if locks else {}
            return Inspection("xlsx", {**kinds, **_look_into(archive, reached), **structure})
    except UnsafePart as unsafe:
        raise _unsafe(str(unsafe)) from unsafe
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
    if sum(item.compress_size for item in items) > size or len({key_of(item.filename) for item in items}) < len(items):
        raise UnsupportedFile(f"The file is damaged: its parts overlap. {SAVE_AS_XLSX}")
    for item in items:
        if item.flag_bits & 0x1:
            raise UnsupportedFile("The file has a password. Save it as .xlsx without a password.")
        if item.file_size > limits.MOST_RATIO * max(item.compress_size, 1024):
            raise UnsupportedFile(
                f"A part of the file ({item.filename[:80]}) unpacks to more than {limits.MOST_RATIO} times its size. "
                f"{SAVE_AS_XLSX}"
            )


def _check_kind(archive: zipfile.ZipFile, parts: Parts, items: list[zipfile.ZipInfo]) -> None:
    """Refuse what is no workbook."""
    mimetype = parts.find("mimetype")
    if mimetype is not None and b"opendocument" in archive.read(mimetype)[:200]:
        raise UnsupportedFile(f"The file is an OpenDocument. {SAVE_AS_XLSX}")
    for start, name in _FOREIGN:
        if any(key_of(item.filename).startswith(start) for item in items):
            raise UnsupportedFile(f"The file is {name}. {_OR_CSV}")
    types, workbook = parts.find(TYPES), parts.workbook()
    if types is None or workbook is None:
        raise UnsupportedFile(f"The file is an archive without a workbook. {_OR_CSV}")
    if workbook.endswith(".bin") or any(key_of(item.filename).endswith("workbook.bin") for item in items):
        raise UnsupportedFile(f"The file is a binary workbook (.xlsb). {SAVE_AS_XLSX}")


def _check_contents(parts: Parts, reached: Mapping[str, str], items: list[zipfile.ZipInfo]) -> None:
    """Refuse workbooks with macros, connections or too many sheets."""
    keys = [key for item in items if not (key := key_of(item.filename)).startswith(_OF_A_MAC)]
    named = any("vbaproject" in key or key.startswith("xl/macrosheets/") for key in keys)
    if named or any(_MACROS.search(parts.content_type(name)) for name in reached):
        raise UnsupportedFile("The workbook has macros, which are not accepted. Save it as .xlsx, which has none.")
    if "xl/connections.xml" in keys or any(key.startswith("xl/querytables/") for key in keys):
        raise UnsupportedFile(
            "The workbook takes data from outside it (data connections), which is not accepted. Delete its connections "
            "(in Excel: Data, Queries & Connections), save it, and upload it again."
        )
    sheets = sum(kind == "worksheet" for kind in reached.values())
    if sheets > limits.MOST_SHEETS:
        raise UnsupportedFile(f"The workbook has {sheets} sheets; {limits.MOST_SHEETS} are possible. Split it.")


def _unsafe(name: str) -> UnsupportedFile:
    return UnsupportedFile(f"The file is unsafe: {name[:80]} declares a document type. {SAVE_AS_XLSX}")


def _look_into(archive: zipfile.ZipFile, reached: Mapping[str, str]) -> dict[str, int]:
    """Read the XML of all real parts once: refuse document types, count the cells and what sheets have besides them.

    Other parts, such as those that a Mac adds to archives, are read by no program.
    """
    found = dict.fromkeys(_MARKS, 0)
    cells = 0
    for name, kind in reached.items():
        sheet = kind == "worksheet"
        if not sheet and not key_of(name).endswith((".xml", ".vml")):
            continue
        with archive.open(name) as part:
            head = part.read(PROLOG)
            if declares_document_type(head):
                raise _unsafe(name)
            if kind == "sharedStrings":
                _count_texts(head, part)
            if not sheet:
                continue
            for piece in _pieces(head, part):
                cells += sum(piece.count(mark) for mark in _CELL_MARKS)
                for mark_kind, mark in _MARKS.items():
                    found[mark_kind] += piece.count(mark) + piece.count(b":" + mark[1:])
        if cells > limits.MOST_CELLS:
            raise UnsupportedFile(f"The workbook has more than {limits.MOST_CELLS:,} cells. Split it.")
    return {kind: count for kind, count in found.items() if count}


def _count_texts(head: bytes, part: IO[bytes]) -> None:
    """Refuse more different texts than the engine has memory for."""
    texts = sum(sum(piece.count(mark) for mark in _TEXT_MARKS) for piece in _pieces(head, part))
    if texts > limits.MOST_TEXTS:
        raise UnsupportedFile(
            f"The workbook has more than {limits.MOST_TEXTS:,} different texts, which need more memory than a workbook "
            "has. Split it."
        )


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
    delimiter, text = csv_text.delimiter_of(text)
    for line in csv_text.lines_of(text):
        if line.count(delimiter) >= MOST_COLUMNS and len(next(csv.reader([line], delimiter=delimiter))) > MOST_COLUMNS:
            raise UnsupportedFile(f"The file has more than {MOST_COLUMNS:,} columns. Split it.")


def _mega(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB".replace(".0 MB", " MB")
