"""Read how long a provider tells its client to wait before the next request."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from typing import Any, Final

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s?")
_IN_BODY: Final = ("retry_after", "retryAfter", "retryDelay", "estimated_time")


def retry_after_of(headers: Mapping[str, str], error: object = None) -> float | None:
    """Return the seconds that an error response names, at least 0; None if it names none.

    `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). The date is compared with the response's
    own `Date`, because clocks differ. `retry-after-ms` is OpenAI's and Azure's. Google and Hugging Face put the seconds
    into the error object.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    seconds = _seconds(told)
    if seconds is None and told:
        seconds = _seconds_until(told, headers.get("date"))
    return seconds if seconds is not None else _seconds_in(error)


def _seconds(value: Any) -> float | None:
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        value = float(found[1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(0.0, float(value))


def _seconds_until(date: str, now: str | None) -> float | None:
    try:
        end = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    try:
        begin = email.utils.parsedate_to_datetime(now or "").timestamp()
    except (ValueError, OverflowError):
        begin = time.time()
    return max(0.0, end - begin)


def _seconds_in(error: object) -> float | None:
    """Return the seconds that the error object, or one inside it, names."""
    if isinstance(error, Mapping):
        told = [seconds for field in _IN_BODY if (seconds := _seconds(error.get(field))) is not None]
        if told:
            return told[0]
        inner = list(error.values())
    else:
        inner = error if isinstance(error, list) else []
    return next((seconds for each in inner if (seconds := _seconds_in(each)) is not None), None)
