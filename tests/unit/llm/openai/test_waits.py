"""How long a provider tells its client to wait."""

from __future__ import annotations

from typing import Any

import pytest

from shared.llm.openai.waits import retry_after_of

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "error", "seconds"),
    [
        ({}, None, None),
        ({"retry-after": "20"}, None, 20),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after": "0"}, None, 0),
        ({"retry-after-ms": "250", "retry-after": "1"}, None, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:20 GMT", "date": DATE}, None, 20),
        ({"retry-after": DATE, "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, None, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, 0),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "-3"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({}, {"error": "loading", "estimated_time": 15.5}, 15.5),
        ({}, {"details": [{"retryDelay": "20s"}]}, 20),
        ({}, {"retry_after": True}, None),
        ({}, "words", None),
    ],
)
def test_the_seconds_to_wait_are_read_wherever_they_are(
    headers: dict[str, str], error: Any, seconds: float | None
) -> None:
    assert retry_after_of(headers, error) == seconds
