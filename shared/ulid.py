"""ULIDs in lower case: sortable by time of creation, hard to guess, safe in a URL (https://github.com/ulid/spec)."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_ulid(milliseconds: int) -> str:
    """26 characters: 48 bits of time, 80 random bits."""
    number = (milliseconds << 80) | secrets.randbits(80)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
