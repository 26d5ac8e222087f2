"""Ids of jobs and of the runs they open: ULIDs, so that they sort by time. A job's also names its execution."""

from __future__ import annotations

import re

from shared.ulid import ALPHABET, new_ulid

JOB_ID = re.compile(rf"job_[{ALPHABET}]{{26}}")


RUN_ID = re.compile(rf"run_[{ALPHABET}]{{26}}")


def new_job_id(milliseconds: int) -> str:
    return f"job_{new_ulid(milliseconds)}"


def new_run_id(milliseconds: int) -> str:
    return f"run_{new_ulid(milliseconds)}"
