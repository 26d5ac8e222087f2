"""Encode the cursor of a list: the id at which a page ended.

A cursor holds the id only. The query that uses it reads the owner's own partition of the index, so a forged cursor
cannot reach the items of another owner.
"""

from __future__ import annotations

import base64
import re


def encode_cursor(last_id: str) -> str:
    """Return the cursor of a page that ends with this id."""
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def decode_cursor(cursor: str, ids: re.Pattern[str]) -> str:
    """Return the id in the cursor. Raises ValueError if it does not match the pattern `ids`."""
    last_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    if not ids.fullmatch(last_id):
        raise ValueError("not a cursor")
    return last_id
