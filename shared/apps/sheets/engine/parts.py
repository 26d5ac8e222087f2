"""Find the parts of a package by its relationships and content types, as spreadsheet programs do."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO
from urllib.parse import unquote
from xml.etree import ElementTree

from shared.apps.sheets.engine import csv_text

TYPES = "[content_types].xml"
"""The key of the part with the content types."""

ROOT = ""
"""The package itself, where it is the source of relationships."""

PROLOG = 64 * 1024
"""Bytes in which a part's first element must begin."""

_PROLOG_PARTS = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_STRICT = "http://purl.oclc.org/ooxml/"
_WORKBOOK_TYPE = re.compile(r"spreadsheetml\.(?:sheet|template)\.main\+xml$|ms-excel\.", re.IGNORECASE)


class UnsafePart(ValueError):
    """A part declares a document type; the message is its name."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relationship within the package.

    `kind` is the last word of its type, `part` the name of the other part in the archive, or the name that it would
    have there. `exact` says whether the part is in the archive under the very name that the relationship has.
    """

    id: str
    kind: str
    type: str
    part: str
    exact: bool


def key_of(name: str) -> str:
    """Return what is the same for all ways to write the name of a part: spreadsheet programs take any case and `\\`."""
    return name.replace("\\", "/").lstrip("/").casefold()


class Parts:
    """The parts of an open package. Raises UnsafePart for relationships or content types with a document type.

    Raises ElementTree.ParseError if these are no XML, and what ZipFile raises for a damaged archive.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {key_of(item.filename): item.filename for item in archive.infolist() if not item.is_dir()}
        self._relations: dict[str, tuple[Relation, ...]] = {}

    def find(self, name: str) -> str | None:
        """Return the name of a part in the archive; None if it is not there."""
        return self._names.get(key_of(name))

    def relations(self, part: str) -> tuple[Relation, ...]:
        """Return the relationships of a part, or of ROOT, to other parts of the package."""
        if part not in self._relations:
            self._relations[part] = tuple(self._read_relations(part))
        return self._relations[part]

    def relations_part(self, part: str) -> str | None:
        """Return the name of the part that has the relationships of a part; None if it has none."""
        folder, name = posixpath.split(part.replace("\\", "/"))
        return self.find(posixpath.join(folder, "_rels", f"{name}.rels"))

    def workbook(self) -> str | None:
        """Return the name of the part with the workbook; None if the package has none."""
        for relation in self.relations(ROOT):
            if relation.kind == "officeDocument" and self.find(relation.part):
                return relation.part
        overrides, _ = self._types
        found = (self.find(key) for key, kind in overrides.items() if _WORKBOOK_TYPE.search(kind))
        return next((name for name in found if name is not None), None)

    def content_type(self, part: str) -> str:
        """Return the content type of a part: that of its name, or of its extension; empty if there is none."""
        overrides, defaults = self._types
        key = key_of(part)
        return overrides.get(key) or defaults.get(key.rpartition(".")[2], "")

    @property
    def strict(self) -> bool:
        """Tell whether the package uses the namespaces of Strict Open XML."""
        return any(relation.type.startswith(_STRICT) for relation in self.relations(ROOT))

    def reached(self) -> dict[str, str]:
        """Return the real parts with their kinds: those that relationships of the package or the workbook lead to."""
        kinds: dict[str, str] = {}
        workbook = self.workbook()
        if workbook is not None:
            kinds[workbook] = "officeDocument"
        sources = [ROOT, *kinds]
        while sources:
            for relation in self.relations(sources.pop()):
                if relation.part not in kinds and self.find(relation.part):
                    kinds[relation.part] = relation.kind
                    sources.append(relation.part)
        return kinds

    @cached_property
    def _types(self) -> tuple[dict[str, str], dict[str, str]]:
        """The content types by the keys of parts, and by extensions."""
        types = self.find(TYPES)
        elements = list(self._xml(types)) if types is not None else []
        return (
            {
                key_of(each.get("PartName", "")): each.get("ContentType", "")
                for each in elements
                if each.get("PartName")
            },
            {
                each.get("Extension", "").casefold(): each.get("ContentType", "")
                for each in elements
                if each.get("Extension")
            },
        )

    def _read_relations(self, part: str) -> Iterator[Relation]:
        rels = self.relations_part(part)
        folder = posixpath.dirname(part.replace("\\", "/"))
        for element in self._xml(rels) if rels is not None else ():
            target = element.get("Target", "").replace("\\", "/")
            if not target or element.get("TargetMode") == "External":
                continue
            written = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            name = self.find(written) or self.find(unquote(written))
            kind = element.get("Type", "")
            yield Relation(element.get("Id", ""), kind.rpartition("/")[2], kind, name or written, exact=written == name)

    def _xml(self, name: str) -> ElementTree.Element:
        content = self._archive.read(name)
        if declares_document_type(content[:PROLOG]):
            raise UnsafePart(name)
        return ElementTree.fromstring(content)  # noqa: S314 - without a document type there are no entities


UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How XML in UTF-16 begins."""

_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>")


def opened(archive: zipfile.ZipFile, part: str) -> IO[bytes]:
    """Open a part; one in UTF-16 as UTF-8."""
    with archive.open(part) as source:
        is_wide = source.read(2) in UTF_16_MARKS
    return io.BytesIO(from_utf_16(archive.read(part))) if is_wide else archive.open(part)


def from_utf_16(content: bytes) -> bytes:
    """Return XML in UTF-16 as UTF-8."""
    return _DECLARATION.sub('<?xml version="1.0"?>', content.decode("utf-16", errors="replace")).encode()


def declares_document_type(head: bytes) -> bool:
    """Tell whether XML declares a document type before its first element, or hides where that is.

    `head` are its first PROLOG bytes.
    """
    text = _decoded(head)
    position = 0
    while found := _PROLOG_PARTS.match(text, position):
        position = found.end()
    if position == len(text):
        return len(head) >= PROLOG
    return text[position] != "<" or text.startswith("<!", position) or "<!ENTITY" in text


def _decoded(head: bytes) -> str:
    wide = csv_text.utf_16_without_mark(head[:256])
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = "utf-16"
    return head.decode(wide or "utf-8", errors="replace").lstrip("\ufeff")
