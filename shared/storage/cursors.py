"""Cursors of lists: the id at which a page ended.

Only the id travels: the owner's own partition of the index is where it is looked up, whatever a client sends.
"""

from __future__ import annotations

import base64
import re


def encode_cursor(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def decode_cursor(cursor: str, ids: re.Pattern[str]) -> str:
    """The id. Raises ValueError when the cursor is not one of a list of such ids."""
    last_id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    if not ids.fullmatch(last_id):
        raise ValueError("not a cursor")
    return last_id
