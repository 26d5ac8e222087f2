"""Make the ids of jobs and runs: ULIDs, which sort by creation time. A job's id also names its execution."""

from __future__ import annotations

import re

from shared.ulid import ALPHABET, new_ulid

JOB_ID = re.compile(rf"job_[{ALPHABET}]{{26}}")
"""Matches a whole job id."""

RUN_ID = re.compile(rf"run_[{ALPHABET}]{{26}}")
"""Matches a whole run id."""


def new_job_id(milliseconds: int) -> str:
    """Return a new job id; `milliseconds` is the Unix time of its creation."""
    return f"job_{new_ulid(milliseconds)}"


def new_run_id(milliseconds: int) -> str:
    """Return a new run id; `milliseconds` is the Unix time of its creation."""
    return f"run_{new_ulid(milliseconds)}"
