"""Compute when DynamoDB may delete what is stored for a job."""

from __future__ import annotations

from shared.jobs.pipeline import LONGEST_INVOCATION_SECONDS


def stored_until(expires_at: int) -> int:
    """Return when an item may be deleted whose job expires at `expires_at` (both in Unix seconds).

    It is later, because a request may find the job just before it expires and then read it for the life of its
    invocation, or resume it.
    """
    return expires_at + LONGEST_INVOCATION_SECONDS
