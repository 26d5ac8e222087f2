"""Give the engine a package as it expects one: only the parts that it needs, at the places where it looks for them."""

from __future__ import annotations

import codecs
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import quoteattr

from shared.apps.sheets.engine.parts import ROOT, TYPES, UTF_16_MARKS, Parts, Relation, from_utf_16
from shared.temporary_folders import temporary_folder

_PLACES = {  # by the kinds of relationships
    "officeDocument": "xl/workbook.xml",
    "sharedStrings": "xl/sharedStrings.xml",
    "styles": "xl/styles.xml",
    "theme": "xl/theme/theme1.xml",
}
_NEEDED = {*_PLACES, "worksheet", "chartsheet", "dialogsheet", "table"}
_HARMLESS = {
    "calcChain",
    "core-properties",
    "custom-properties",
    "extended-properties",
    "externalLink",
    "externalLinkPath",
    "sheetMetadata",
}
_STRICT = (
    (b"http://purl.oclc.org/ooxml/spreadsheetml/main", b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    (b"http://purl.oclc.org/ooxml/drawingml/main", b"http://schemas.openxmlformats.org/drawingml/2006/main"),
)
_PADDED_VALUE = re.compile(
    rb'(<(?:\w+:)?c\b(?![^>]*\st="str")[^>]*>(?:(?!</?(?:\w+:)?c\b).)*?<(?:\w+:)?v[^>]*>)\s*(\S.*?)\s*(</(?:\w+:)?v>)',
    re.DOTALL,
)
"""The value of a cell that is no text of a formula, with the blanks around it."""
_PHONETIC = re.compile(rb"<((?:\w+:)?)rPh\b.*?</\1rPh>", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml\b[^>]*\bencoding=[\"']([\w.-]+)[\"'][^>]*>")
_HEAD = 256  # bytes in which XML declares its encoding
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


@contextmanager
def reduced(path: Path, phonetic: Collection[str] = (), padded: Collection[str] = ()) -> Iterator[Path]:
    """Yield the file, or a copy of what the engine needs if the file has other parts or has them at other places.

    The engine takes phonetic hints for text, so the copy is without those of the parts `phonetic`. It takes a number
    with blanks around it for 0, so the copy is without those of the parts `padded`.
    """
    with zipfile.ZipFile(path) as archive:
        parts = Parts(archive)
        reached = parts.reached()
        places = dict(_places(reached))
        if not phonetic and not padded and _is_usual(archive, parts, reached, places):
            yield path
            return
        with temporary_folder("reduced") as folder:
            copy = folder / "reduced.xlsx"
            with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
                _write(archive, parts, places, target, phonetic, padded)
            yield copy


def _places(reached: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the needed parts, each with the place where the engine looks for it."""
    taken = set()
    for number, (name, kind) in enumerate(reached.items(), 1):
        place = _PLACES.get(kind)
        if place is None:
            place = name if name.startswith("xl/") and "\\" not in name else f"xl/{kind}s/part{number}.xml"
        if kind in _NEEDED and place not in taken:
            taken.add(place)
            yield name, place


def _is_usual(archive: zipfile.ZipFile, parts: Parts, reached: Mapping[str, str], places: Mapping[str, str]) -> bool:
    """Tell whether the engine can read the package as it is."""
    relations = {parts.relations_part(part) for part in (ROOT, *reached)}
    return (
        not parts.strict
        and any(relation.kind == "officeDocument" for relation in parts.relations(ROOT))
        and "xl/styles.xml" in places.values()
        and all(name == place for name, place in places.items())
        and all(_is_in_utf_8(_head(archive, name)) for name in places)
        and all(relation.exact for part in (ROOT, *places) for relation in parts.relations(part))
        and all(
            item.is_dir()
            or item.filename in places
            or item.filename in relations
            or item.filename == parts.find(TYPES)
            or reached.get(item.filename) in _HARMLESS
            for item in archive.infolist()
        )
    )


def _in_utf_8(content: bytes) -> bytes:
    """Return XML that is written in UTF-16 or in a single-byte encoding in UTF-8."""
    if content.startswith(UTF_16_MARKS):
        return from_utf_16(content)
    encoding = _single_byte_encoding(content[:_HEAD])
    return content if encoding is None else _ENCODING.sub(b"<?xml version='1.0'?>", content.decode(encoding).encode())


def _is_in_utf_8(head: bytes) -> bool:
    return not head.startswith(UTF_16_MARKS) and _single_byte_encoding(head) is None


def _single_byte_encoding(head: bytes) -> str | None:
    """Return the encoding that XML declares; None if it is UTF-8, which the engine reads, or UTF-16."""
    found = _ENCODING.match(head)
    try:
        encoding = codecs.lookup(found[1].decode()).name if found is not None else "utf-8"
    except LookupError:
        return None
    return None if encoding.startswith("utf") or encoding == "ascii" else encoding


def _head(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(_HEAD)


def _write(
    archive: zipfile.ZipFile,
    parts: Parts,
    places: Mapping[str, str],
    target: zipfile.ZipFile,
    phonetic: Collection[str],
    padded: Collection[str],
) -> None:
    types = parts.find(TYPES)
    target.writestr("[Content_Types].xml", archive.read(types) if types is not None else b"")
    for name, place in places.items():
        content = _in_utf_8(archive.read(name))
        if parts.strict:
            for strict, usual in _STRICT:
                content = content.replace(strict, usual)
        if name in phonetic:
            content = _PHONETIC.sub(b"", content)
        if name in padded:
            content = _PADDED_VALUE.sub(rb"\1\2\3", content)
        target.writestr(place, content)
    if "xl/styles.xml" not in places.values():
        target.writestr("xl/styles.xml", _STYLES)
    workbook = parts.workbook() or ""
    root = Relation("rId1", "officeDocument", "", workbook, exact=True)
    target.writestr("_rels/.rels", _relations([root], "", places))
    for source in places:
        found = [relation for relation in parts.relations(source) if relation.part in places]
        if found:
            folder, name = posixpath.split(places[source])
            written = _relations(found, folder, places)
            target.writestr(posixpath.join(folder, "_rels", f"{name}.rels"), written)


def _relations(relations: list[Relation], folder: str, places: Mapping[str, str]) -> str:
    entries = "".join(
        f"<Relationship Id={quoteattr(relation.id)} Type={quoteattr(_TYPE + relation.kind)} "
        f"Target={quoteattr(posixpath.relpath(places[relation.part], folder or '.'))}/>"
        for relation in relations
    )
    return f'<Relationships xmlns="{_RELATIONS}">{entries}</Relationships>'
