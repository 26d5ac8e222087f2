"""Dates and times are shown as Excel shows them."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.sheets.engine.formats import date_text, iso_text, serial_of, shows_date

AFTERNOON = 45_000 + (14 + 5 / 60 + 9.25 / 3600) / 24


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("yyyy-mm-dd", "2023-03-15"),
        ("m/d/yyyy", "3/15/2023"),
        ("dd.mm.yy", "15.03.23"),
        ("d-mmm-yy", "15-Mar-23"),
        ("dddd, mmmm d", "Wednesday, March 15"),
        ("ddd mmmmm", "Wed M"),
        ("h:mm AM/PM", "2:05 PM"),
        ("hh:mm:ss", "14:05:09"),
        ("mm:ss.0", "05:09.2"),
        ("[h]:mm", "1080014:05"),
        ('yyyy"-W"mm', "2023-W03"),
        ("[$-409]m/d/yy h:mm", "3/15/23 14:05"),
        ("yyyy\\-mm\\-dd;@", "2023-03-15"),
        ("h:mm a/p", "2:05 P"),
    ],
)
def test_a_moment_is_shown(code: str, text: str) -> None:
    assert shows_date(code)
    assert date_text(AFTERNOON, code) == text


@pytest.mark.parametrize("code", ["General", "0.00", '#,##0 "days"', "0%", "@", "[Red]0", "\\d0", "0.00E+00"])
def test_numbers_are_no_dates(code: str) -> None:
    assert not shows_date(code)


@pytest.mark.parametrize(
    ("serial", "code", "iso"),
    [
        (45_000, "yyyy-mm-dd", "2023-03-15"),
        (45_000.5, "m/d/yy h:mm", "2023-03-15T12:00:00"),
        (45_000.5, "m/d/yy", "2023-03-15T12:00:00"),
        (14.5 / 24, "h:mm", "14:30:00"),
        (0.5, "[h]:mm", None),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-1, "yyyy-mm-dd", None),
        (2_958_466, "yyyy-mm-dd", None),
    ],
)
def test_the_iso_text_says_what_the_format_shows(serial: float, code: str, iso: str | None) -> None:
    assert iso_text(serial, code) == iso


@pytest.mark.no_cover
@given(st.integers(0, 255_000_000_000))
def test_a_moment_comes_back_from_its_serial_number(seconds: int) -> None:
    moment = datetime.datetime.fromisoformat("1900-03-01") + datetime.timedelta(seconds=seconds)

    assert iso_text(serial_of(moment), "yyyy-mm-dd hh:mm:ss") == moment.isoformat()
