"""Show dates and times as Excel does, and as ISO 8601."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

GENERAL = "General"
"""The number format of a cell that has none."""

_PIECE = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?:.)|\*(?:.)|\[(?P<elapsed>h+|m+|s+)\]|\[[^\]]*\]'
    r"|(?P<half>AM/PM|A/P)|(?P<fraction>\.0+)|General|E[-+]|(?P<part>y+|m+|d+|h+|s+|e+|b+|g+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's dates have no time zone
_LAST_SERIAL = 2_958_466  # the day after 9999-12-31
_FALSE_LEAP_DAY = 60  # Excel has 1900-02-29


@lru_cache(maxsize=1024)
def _pieces(code: str) -> tuple[tuple[str, str], ...]:
    """Return the pieces of the first section of a format, as kind and text, without what is not shown."""
    section = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*\Z)', code, maxsplit=1)[0]
    pieces = [(found.lastgroup, found[found.lastgroup]) for found in _PIECE.finditer(section) if found.lastgroup]
    return tuple(_with_minutes(pieces))


def _with_minutes(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Tell minutes from months: they follow hours, or stand before seconds."""
    timed = [number for number, (kind, _) in enumerate(pieces) if kind in {"part", "elapsed"}]
    for place, number in enumerate(timed):
        text = pieces[number][1].lower()
        if pieces[number][0] != "part" or text not in {"m", "mm"}:
            continue
        before = pieces[timed[place - 1]][1].lower() if place else ""
        after = pieces[timed[place + 1]][1].lower() if place + 1 < len(timed) else ""
        if before.startswith("h") or after.startswith("s"):
            pieces[number] = ("minutes", text)
    return pieces


@lru_cache(maxsize=1024)
def shows_date(code: str) -> bool:
    """Tell whether a number format shows dates or times."""
    return any(kind in {"part", "minutes", "elapsed"} for kind, _ in _pieces(code))


@lru_cache(maxsize=1024)
def _shows(code: str) -> tuple[bool, bool]:
    """Return whether a format shows a day, and whether it shows a time of day."""
    day = any(kind == "part" and text[0].lower() in "ymdeg" for kind, text in _pieces(code))
    time = any(
        kind in {"minutes", "elapsed"} or (kind == "part" and text[0].lower() in "hs") for kind, text in _pieces(code)
    )
    return day, time


@lru_cache(maxsize=65536)
def iso_text(serial: float, code: str) -> str | None:
    """Return the day, the time or both of a serial number, as the format shows them; None if it is no date."""
    moment = _moment(serial, 3)
    if moment is None or any(kind == "elapsed" for kind, _ in _pieces(code)):
        return None
    day, time = _shows(code)
    clock = moment.strftime("%H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if moment.microsecond else "")
    if serial < 1 and not day:
        return clock
    if day and not time and clock == "00:00:00":
        return moment.date().isoformat()
    return f"{moment.date().isoformat()}T{clock}" if time or clock != "00:00:00" else moment.date().isoformat()


@lru_cache(maxsize=65536)
def date_text(serial: float, code: str) -> str | None:
    """Return a serial number as Excel shows it in this format; None if it is no date, which Excel shows as `####`."""
    pieces = _pieces(code)
    digits = max((len(text) - 1 for kind, text in pieces if kind == "fraction"), default=0)
    moment = _moment(serial, digits)
    if moment is None:
        return None
    half = any(kind == "half" for kind, _ in pieces)
    false_day = int(serial) == _FALSE_LEAP_DAY
    return "".join(_shown(kind, text, serial, moment, half, false_day) for kind, text in pieces)


def serial_of(moment: datetime | date) -> float:
    """Return the serial number of a day or a moment from 1900-01-01 on."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    serial = (moment - _DAY_0) / timedelta(days=1)
    return serial if serial > _FALSE_LEAP_DAY else serial - 1


def _moment(serial: float, digits: int) -> datetime | None:
    """Return the moment of a serial number, rounded to seconds with this many digits."""
    if not 0 <= serial < _LAST_SERIAL:
        return None
    start = _DAY_0 + timedelta(days=serial < _FALSE_LEAP_DAY)
    units = round(serial * 86_400 * 10**digits)
    try:
        return start + timedelta(microseconds=units * 10 ** (6 - digits)) if digits <= 6 else None
    except OverflowError:
        return None


def _shown(kind: str, text: str, serial: float, moment: datetime, half: bool, false_day: bool) -> str:
    if kind == "minutes":
        return f"{moment.minute:02d}" if len(text) > 1 else str(moment.minute)
    if kind == "elapsed":
        return _elapsed(text.lower(), serial)
    if kind == "fraction":
        return "." + f"{moment.microsecond:06d}"[: len(text) - 1]
    if kind == "half":
        names = ("AM", "PM") if len(text) > 3 else ("A", "P")
        return names[moment.hour >= 12]
    if kind == "part":
        return _part(text.lower(), moment, half, false_day)
    return text


def _elapsed(text: str, serial: float) -> str:
    seconds = round(serial * 86_400)
    number = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}[text[0]]
    return str(number).rjust(len(text), "0")


def _part(text: str, moment: datetime, half: bool, false_day: bool) -> str:
    letter, length = text[0], len(text)
    if letter == "m":
        return _month(length, 2 if false_day else moment.month)
    if letter == "d":
        return _day(length, 29 if false_day else moment.day, moment)
    if letter == "h":
        hour = (moment.hour % 12 or 12) if half else moment.hour
        return f"{hour:02d}" if length > 1 else str(hour)
    if letter == "s":
        return f"{moment.second:02d}" if length > 1 else str(moment.second)
    if letter in "ye":
        return str(moment.year) if length > 2 or letter == "e" else f"{moment.year % 100:02d}"
    return ""


def _month(length: int, month: int) -> str:
    name = _MONTHS[month - 1]
    return {1: str(month), 2: f"{month:02d}", 3: name[:3], 4: name, 5: name[0]}.get(length, name)


def _day(length: int, day: int, moment: datetime) -> str:
    name = _DAYS[moment.weekday()]
    return {1: str(day), 2: f"{day:02d}", 3: name[:3]}.get(length, name)
