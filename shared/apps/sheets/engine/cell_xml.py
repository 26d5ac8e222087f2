"""Write cells as the XML of a worksheet."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from shared.apps.sheets.addresses import Area, column_name
from shared.apps.sheets.cells import CellContent, Scalar

LONGEST_NUMBER = 2**53
"""From here on a double has no room for each integer."""

_ATTRIBUTE = re.compile(rb'\s([\w:]+)="([^"]*)"')
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x(?=[0-9A-Fa-f]{4}_)")
_NAME = re.compile(r'"[^"]*"|\b(?:_xl\w+\.)*([A-Z][A-Z0-9.]*)(?=\()')
_NEWER_NAMES = (
    "ACOT ACOTH ARABIC BASE BETA.DIST BETA.INV BINOM.DIST BINOM.INV BITAND BITLSHIFT BITOR BITRSHIFT BITXOR "
    "CEILING.MATH CHISQ.DIST CHISQ.DIST.RT CHISQ.INV CHISQ.INV.RT CHISQ.TEST COMBINA CONCAT CONFIDENCE.NORM "
    "CONFIDENCE.T COT COTH COVARIANCE.P COVARIANCE.S CSC CSCH DAYS DECIMAL ERF.PRECISE ERFC.PRECISE EXPON.DIST "
    "F.DIST F.DIST.RT F.INV F.INV.RT F.TEST FLOOR.MATH FORMULATEXT GAMMA GAMMA.DIST GAMMA.INV GAMMALN.PRECISE "
    "GAUSS HYPGEOM.DIST IFNA IFS IMCOSH IMCOT IMCSC IMSEC IMSINH IMTAN ISFORMULA ISOWEEKNUM LET LOGNORM.DIST "
    "LOGNORM.INV MAXIFS MINIFS MODE.MULT MODE.SNGL MUNIT NEGBINOM.DIST NORM.DIST NORM.INV NORM.S.DIST NORM.S.INV "
    "NUMBERVALUE PDURATION PERCENTILE.EXC PERCENTILE.INC PERCENTRANK.EXC PERCENTRANK.INC PERMUTATIONA PHI "
    "POISSON.DIST QUARTILE.EXC QUARTILE.INC RANDARRAY RANK.AVG RANK.EQ RRI SEC SECH SEQUENCE SHEET SHEETS SKEW.P "
    "SORTBY STDEV.P STDEV.S SWITCH T.DIST T.DIST.2T T.DIST.RT T.INV T.INV.2T T.TEST TEXTAFTER TEXTBEFORE TEXTJOIN "
    "TEXTSPLIT UNICHAR UNICODE UNIQUE VAR.P VAR.S VSTACK HSTACK WEIBULL.DIST XLOOKUP XMATCH XOR Z.TEST"
)
_NEWER = frozenset(_NEWER_NAMES.split())
_FILE_ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}  # a file has no newer ones
_NEWEST = frozenset({"FILTER", "SORT"})


def attributes_of(tag: bytes) -> dict[bytes, bytes]:
    """Return the attributes of a start tag."""
    return dict(_ATTRIBUTE.findall(tag))


def tag_of(name: bytes, attributes: dict[bytes, bytes], *, empty: bool = False) -> bytes:
    """Return a start tag, or an empty element."""
    written = b"".join(b' %s="%s"' % item for item in attributes.items())
    return b"<%s%s%s>" % (name, written, b"/" if empty else b"")


def written_cell(
    prefix: bytes,
    row: int,
    column: int,
    content: CellContent,
    *,
    style: bytes | None,
    formula: bytes | None = None,
    metadata: bytes | None = None,
) -> bytes:
    """Return the element of a cell; nothing for an empty one without a style.

    `formula` is the element `f` to write as it is; if it is None, that of the cell's own formula. `metadata` is the
    number of the metadata that say that the formula is a dynamic array.
    """
    attributes = {b"r": f"{column_name(column)}{row}".encode()}
    if style is not None:
        attributes[b"s"] = style
    if formula is None and content.formula is not None:
        formula = written_formula(prefix, content.formula)
    if formula is None and content.value is None:
        return b"" if style is None else tag_of(prefix + b"c", attributes, empty=True)
    kind, value = _value(prefix, content, computed=formula is not None)
    if kind:
        attributes[b"t"] = kind
    if metadata is not None:
        attributes[b"cm"] = metadata
    return b"%s%s%s</%sc>" % (tag_of(prefix + b"c", attributes), formula or b"", value, prefix)


def written_formula(prefix: bytes, formula: str, fills: Area | None = None) -> bytes:
    """Return the element of a formula; of an array formula if it fills an area."""
    text = _escaped(in_file(formula.removeprefix("=")))
    attributes = {b"t": b"array", b"ref": str(fills).encode()} if fills is not None else {}
    return b"%s%s</%sf>" % (tag_of(prefix + b"f", attributes), text, prefix)


def in_file(formula: str) -> str:
    """Return a formula with the prefixes that files have before the names of newer functions."""
    return _NAME.sub(_prefixed, formula)


def _prefixed(found: re.Match[str]) -> str:
    name = found[1]
    if name in _NEWEST:
        return f"_xlfn._xlws.{name}"
    return f"_xlfn.{name}" if name in _NEWER else found[0]


def _value(prefix: bytes, content: CellContent, *, computed: bool) -> tuple[bytes, bytes]:
    """Return the type of a cell, and the element with its value."""
    value: Scalar = content.value
    match value:
        case None:
            return b"", b""
        case bool():
            return b"b", b"<%sv>%d</%sv>" % (prefix, value, prefix)
        case int() | float():
            return b"", b"<%sv>%s</%sv>" % (prefix, _number(value), prefix)
    text = _escaped(safe_text(value))
    if content.error:
        known = text if value in _FILE_ERRORS else b"#VALUE!"
        return b"e", b"<%sv>%s</%sv>" % (prefix, known, prefix)
    if computed:
        return b"str", b"<%sv>%s</%sv>" % (prefix, text, prefix)
    inline = b'<%sis><%st xml:space="preserve">%s</%st></%sis>' % (prefix, prefix, text, prefix, prefix)
    return b"inlineStr", inline


def _number(value: float) -> bytes:
    return repr(float(value) if abs(value) > LONGEST_NUMBER else value).encode()


def safe_text(text: str) -> str:
    """Return a text with escapes for the characters that XML cannot have, and for what looks like an escape."""
    return _UNSAFE.sub(lambda found: f"_x{ord(found[0][0]):04X}_{found[0][1:]}", text)


def _escaped(text: str) -> bytes:
    return escape(text).encode("utf-8", errors="replace")
