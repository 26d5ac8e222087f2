"""Generate lower-case ULIDs: they sort by creation time and are hard to guess (https://github.com/ulid/spec)."""

from __future__ import annotations

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's Base32 digits in lower case: no i, l, o and u."""


def new_ulid(milliseconds: int) -> str:
    """Return a ULID of 26 characters: 48 bits of Unix time in milliseconds, then 80 random bits."""
    number = (milliseconds << 80) | secrets.randbits(80)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def milliseconds_of(ulid: str) -> int:
    """Return the Unix time in a ULID, in milliseconds."""
    number = 0
    for character in ulid[:10]:
        number = number * 32 + ALPHABET.index(character)
    return number
