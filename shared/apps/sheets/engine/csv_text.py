"""Read the text of CSV files: find encodings and delimiters, and what a field is."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime, time

from shared.apps.sheets.engine.formats import serial_of

DELIMITERS = ",;\t|"
"""The delimiters that are recognised."""

SAMPLE = 64 * 1024
"""Characters that the delimiter is looked for in."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?|[eE][-+][0-9]{1,2})?")
_COMMA_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14}),[0-9]+")
_COMMA_FIELD = re.compile(r'(?:^|;)"?-?[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})"?(?:;|$)', re.MULTILINE)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:([ T])(\d\d):(\d\d)(?::(\d\d))?)?")
_DECLARED = re.compile(r'"?sep=([,;|\t]|\\t)"?(?:\r\n|\n|\r|$)', re.IGNORECASE)
_FIRST_DATE = date(1900, 3, 1)  # before it Excel's days are wrong

csv.field_size_limit(1 << 30)


def decode(content: bytes) -> tuple[str, str]:
    """Return the text of a CSV file and its encoding: by its byte order mark, else UTF-8, else UTF-16, else cp1252."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace"), encoding
    wide = utf_16_without_mark(content[:4096])
    if wide is not None:
        return content.decode(wide, errors="replace"), wide
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "cp1252"


def utf_16_without_mark(sample: bytes) -> str | None:
    """Return the kind of UTF-16 that a sample is, by the zeros in every second byte; None if it is none."""
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.4 * half and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd == 0 else None


def delimiter_of(text: str) -> tuple[str, str]:
    """Return the delimiter of a CSV file, and its text without the line `sep=;` with which Excel declares it."""
    declared = _DECLARED.match(text)
    if declared is not None:
        return declared[1].replace("\\t", "\t"), text[declared.end() :]
    return find_delimiter(text[:SAMPLE]), text


def find_delimiter(sample: str) -> str:
    """Return the delimiter of a CSV file: the one that splits most lines into the same number of fields, above one."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        lines = sample.splitlines()
        if len(lines) > 1 and len(sample) >= SAMPLE:
            lines.pop()  # it may be cut
        try:
            counts = [len(fields) for fields in csv.reader(lines[:200], delimiter=delimiter) if fields]
        except csv.Error:
            continue
        if not counts:
            continue
        usual = max(set(counts), key=counts.count)
        if usual > 1:
            score = (counts.count(usual) / len(counts), usual)
            if score > best_score:
                best, best_score = delimiter, score
    return best


def has_decimal_commas(sample: str, delimiter: str) -> bool:
    """Tell whether numbers are written with a decimal comma, as files with semicolons often do."""
    return delimiter == ";" and _COMMA_FIELD.search(sample) is not None


def typed(field: str, *, comma: bool = False) -> str | float | bool | None:
    """Return the value of a field; `comma` if numbers have a decimal comma.

    `00123`, `+1`, `1E5` and integers of more than 15 digits stay text, because as a number they would lose what they
    are: codes and account numbers.
    """
    if not field:
        return None
    if _NUMBER.fullmatch(field):
        return float(field)
    if comma and _COMMA_NUMBER.fullmatch(field):
        return float(field.replace(",", "."))
    if field in {"TRUE", "FALSE", "true", "false"}:
        return field.upper() == "TRUE"
    return field


def dated(field: str) -> tuple[float, str] | None:
    """Return the serial number and the number format of a field that is a date in ISO 8601; None if it is none."""
    found = _DATE.fullmatch(field)
    if found is None:
        return None
    year, month, day, separator, hour, minute, second = found.groups()
    try:
        clock = time(int(hour or 0), int(minute or 0), int(second or 0))
        moment = datetime.combine(date(int(year), int(month), int(day)), clock)
    except ValueError:
        return None
    if moment.date() < _FIRST_DATE:
        return None
    code = "yyyy-mm-dd"
    if separator:
        code += (" " if separator == " " else '"T"') + ("hh:mm:ss" if second else "hh:mm")
    return serial_of(moment), code


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, of any kind."""
    start = 0
    for found in re.finditer(r"\r\n|\n|\r", text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]
