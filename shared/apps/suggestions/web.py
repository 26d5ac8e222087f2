"""Give the OpenAPI document examples of suggestion jobs; the application has no operations besides the jobs API."""

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
        "summary": "With context, and linked to a project",
        "value": {
            "pipeline": "suggestion",
            "input": {
                "pageOrComponent": "Checkout page",
                "featureType": "ui-improvement",
                "priorityLevel": "critical",
                "additionalContext": "Most buyers leave at the address form.",
            },
            "links": {"projectId": "prj_01jd8x2v5n7k3q9w4t6y8z0abc"},
        },
    },
}
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""
