"""Give the OpenAPI document examples of haiku jobs; the application has no operations besides the jobs API."""

from __future__ import annotations

from typing import Any

JOB_EXAMPLES: dict[str, Any] = {
    "haiku": {
        "summary": "A haiku on a topic",
        "value": {"pipeline": "haiku", "input": {"topic": "rivers"}},
    },
}
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""
