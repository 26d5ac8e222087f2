"""Add styles to the part of a package that has them: the style of a cell with another number format."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from shared.apps.sheets.engine.cell_xml import attributes_of, tag_of

FIRST_OWN = 164
"""The first number of a format that a file defines itself."""

_GENERAL = {"general": 0, "@": 49}
_SECTION = re.compile(rb"<(\w+:)?cellXfs\b([^>]*)>(.*?)</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"<(?:\w+:)?xf\b[^>]*?(?:/>|>.*?</(?:\w+:)?xf>)", re.DOTALL)
_FORMATS = re.compile(rb"<(\w+:)?numFmts\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?numFmts>)", re.DOTALL)
_FORMAT = re.compile(rb'<(?:\w+:)?numFmt\b[^>]*\bnumFmtId="([0-9]+)"')
_ROOT = re.compile(rb"<(\w+:)?styleSheet\b[^>]*>")


class Styles:
    """The styles of a package; `part` is the name of their part."""

    def __init__(self, part: str, content: bytes) -> None:
        self.part = part
        self._content = content
        section = _SECTION.search(content)
        self._known = _STYLE.findall(section[3]) if section is not None else []
        self._added: list[bytes] = []
        self._styles: dict[tuple[int, str], int] = {}
        self._formats: dict[str, int] = {}
        self._next = max(FIRST_OWN - 1, *(int(number) for number in _FORMAT.findall(content)), 0) + 1

    def with_format(self, style: bytes | None, code: str) -> bytes:
        """Return the number of a style that is like this one, but shows numbers in the format `code`."""
        number = int(style) if style is not None and style.isdigit() else 0
        key = (number, code)
        if number >= len(self._known):
            return style or b"0"
        if key not in self._styles:
            self._styles[key] = len(self._known) + len(self._added)
            self._added.append(self._changed(self._known[number], code))
        return str(self._styles[key]).encode()

    def written(self) -> bytes:
        """Return the part with the styles and formats that were added."""
        content = self._content
        section = _SECTION.search(content)
        if section is None or not self._added:
            return content
        prefix = section[1] or b""
        count = str(len(self._known) + len(self._added)).encode()
        head = tag_of(prefix + b"cellXfs", {**attributes_of(b" " + section[2]), b"count": count})
        element = b"%s%s%s</%scellXfs>" % (head, section[3], b"".join(self._added), prefix)
        return self._with_formats(content[: section.start()] + element + content[section.end() :])

    def _changed(self, style: bytes, code: str) -> bytes:
        head, end, rest = style.partition(b">")
        empty = head.endswith(b"/")
        name = head[1:].split(None, 1)[0].rstrip(b"/")
        attributes = {
            **attributes_of(head),
            b"numFmtId": str(self._format(code)).encode(),
            b"applyNumberFormat": b"1",
        }
        return tag_of(name, attributes, empty=empty)[:-1] + end + rest

    def _format(self, code: str) -> int:
        known = _GENERAL.get(code.lower())
        if known is not None:
            return known
        return self._formats.setdefault(code, self._next + len(self._formats))

    def _with_formats(self, content: bytes) -> bytes:
        if not self._formats:
            return content
        root = _ROOT.search(content)
        prefix = (root[1] or b"") if root is not None else b""
        new = b"".join(
            tag_of(
                prefix + b"numFmt",
                {b"numFmtId": str(number).encode(), b"formatCode": escape(code, {'"': "&quot;"}).encode()},
                empty=True,
            )
            for code, number in self._formats.items()
        )
        section = _FORMATS.search(content)
        known = (section[3] or b"") if section is not None else b""
        count = str(len(_FORMAT.findall(known)) + len(self._formats)).encode()
        element = b"%s%s%s</%snumFmts>" % (tag_of(prefix + b"numFmts", {b"count": count}), known, new, prefix)
        start, end = section.span() if section is not None else (root.end(), root.end()) if root is not None else (0, 0)
        return content[:start] + element + content[end:]
