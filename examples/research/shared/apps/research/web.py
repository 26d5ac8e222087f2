"""Give the OpenAPI document examples of research jobs; the application has no operations besides the jobs API."""

from __future__ import annotations

from typing import Any

JOB_EXAMPLES: dict[str, Any] = {
    "research": {
        "summary": "A question about the library",
        "value": {
            "pipeline": "research",
            "input": {"question": "Why are the worst floods of the Wend in March?", "sourceCount": 3},
        },
    },
}
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""
