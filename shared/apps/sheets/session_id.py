"""Make the ids of sessions and of their messages."""

from __future__ import annotations

import re
from typing import Literal

from shared.jobs.ids import ulid_of
from shared.ulid import ALPHABET, new_ulid

SESSION_ID = re.compile(rf"ses_[{ALPHABET}]{{26}}")
"""Matches a whole session id."""

MESSAGE_ID = re.compile(rf"[{ALPHABET}]{{26}}-[12]")
"""Matches a whole id of a message."""


def new_session_id(milliseconds: int) -> str:
    """Return a new session id; `milliseconds` is the Unix time of its creation."""
    return f"ses_{new_ulid(milliseconds)}"


def message_id(job_id: str, role: Literal["user", "assistant"]) -> str:
    """Return the id of the question or the answer of a chat job: they sort by the job's creation, question first."""
    return f"{ulid_of(job_id)}-{1 if role == 'user' else 2}"
