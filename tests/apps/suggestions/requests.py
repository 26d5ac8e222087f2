"""Requests to the suggestions application; the core's tests use it as their example of a pipeline."""

from __future__ import annotations

import json

FIELDS = {"pageOrComponent": "Checkout page", "featureType": "enhancement", "priorityLevel": "high"}
"""The required fields of a job's input."""


def output_of(kilobytes: int) -> str:
    """Return a valid output of the model of about this size."""
    room = kilobytes * 1000 - 200
    considerations = ["x" * min(3900, room)]
    suggestions = []
    while True:
        prose = "".join(considerations)
        suggestions.append(
            {
                "title": "Load",
                "rationale": "load",
                "description": "load",
                "implementationConsiderations": [prose],
            }
        )
        room -= len(prose)
        if room < 500 or len(suggestions) == 10:
            break
        considerations = ["x" * min(3900, room)]
    while room > 500:
        extra = "x" * min(3900, room)
        room -= len(extra)
        fewest = min(suggestions, key=lambda each: len(each["implementationConsiderations"]))
        fewest["implementationConsiderations"].append(extra)  # type: ignore[attr-defined]
    return json.dumps({"suggestions": suggestions})
