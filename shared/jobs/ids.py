"""Make the ids of jobs and runs. A job's id also names its execution.

A job's id is `job_`, a character for its cell, and a ULID, which sorts by creation time. A cell is one deployed stack:
with several, the id alone says which stack has the job. Ids from before cells have no such character.
"""

from __future__ import annotations

import re

from shared.ulid import ALPHABET, new_ulid

DEFAULT_CELL = "a"
"""The cell of a deployment that names none."""

JOB_ID = re.compile(rf"job_[a-z]?[{ALPHABET}]{{26}}")
"""Matches a whole job id, with or without a cell."""

RUN_ID = re.compile(rf"run_[{ALPHABET}]{{26}}")
"""Matches a whole run id."""


def new_job_id(milliseconds: int, cell: str = DEFAULT_CELL) -> str:
    """Return a new job id; `milliseconds` is the Unix time of its creation, and `cell` is one letter from a to z."""
    return f"job_{cell}{new_ulid(milliseconds)}"


def ulid_of(job_id: str) -> str:
    """Return the ULID in a job's id. Lists sort by it, because job ids of different cells do not sort by time."""
    return job_id[-26:]


def new_run_id(milliseconds: int) -> str:
    """Return a new run id; `milliseconds` is the Unix time of its creation."""
    return f"run_{new_ulid(milliseconds)}"
