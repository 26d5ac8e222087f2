"""Feature suggestions on the wire: they have no operations besides the jobs API's."""

from __future__ import annotations

from typing import Any

JOB_EXAMPLES: dict[str, Any] = {
    "least": {
        "summary": "What is required",
        "value": {
            "pipeline": "suggestion",
            "input": {"pageOrComponent": "Checkout page", "featureType": "enhancement", "priorityLevel": "high"},
        },
    },
    "linked": {
        "summary": "With context, and linked to a session and a project",
        "value": {
            "pipeline": "suggestion",
            "input": {
                "pageOrComponent": "Checkout page",
                "featureType": "ui-improvement",
                "priorityLevel": "critical",
                "additionalContext": "Most buyers leave at the address form.",
            },
            "links": {"sessionId": "session-7", "projectId": "shop"},
        },
    },
}
"""Request bodies of `POST /jobs` that the OpenAPI document shows, by name."""
