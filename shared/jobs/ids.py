"""Job ids: ULIDs, so that they sort by time of creation; they also name executions."""

from __future__ import annotations

import re

from shared.ulid import ALPHABET, new_ulid

JOB_ID = re.compile(rf"job_[{ALPHABET}]{{26}}")


def new_job_id(milliseconds: int) -> str:
    return f"job_{new_ulid(milliseconds)}"
