"""Job ids: sortable by time of creation, hard to guess, safe in a URL and as an execution name."""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
JOB_ID = re.compile(rf"job_[{ALPHABET}]{{26}}")


def new_job_id(milliseconds: int) -> str:
    """`job_` and a lower-case ULID: 48 bits of time, 80 random bits (https://github.com/ulid/spec)."""
    number = (milliseconds << 80) | secrets.randbits(80)
    digits = (ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
    return "job_" + "".join(digits)
