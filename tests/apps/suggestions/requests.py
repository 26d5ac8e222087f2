"""Requests to the suggestions application; the core's tests use it as their example of a pipeline."""

from __future__ import annotations

import json

FIELDS = {"pageOrComponent": "Checkout page", "featureType": "enhancement", "priorityLevel": "high"}
"""The required fields of a job's input."""


_LONGEST = 4_000
"""The most characters of one text in an output."""


def output_of(kilobytes: int) -> str:
    """Return a valid output of the model of about this size in UTF-8, at most 1,900 kB."""
    letter = "x" if kilobytes < 450 else "𝄞"  # the schema limits characters, and this one has four bytes
    room = (kilobytes * 1000 - 200) // len(letter.encode())
    texts = [letter * min(_LONGEST, room - begin) for begin in range(0, room, _LONGEST)]
    few = min(10, len(texts))
    suggestions = [
        {
            "title": "Load",
            "rationale": "load",
            "description": "load",
            "implementationConsiderations": texts[number::few],
        }
        for number in range(few)
    ]
    return json.dumps({"suggestions": suggestions}, ensure_ascii=False)
