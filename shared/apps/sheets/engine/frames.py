"""The messages between the engine's process and its parent: JSON with bytes behind it, over a pair of pipes."""

from __future__ import annotations

import json
import struct
from typing import Any

HEAD = struct.Struct(">II")
"""The lengths of the JSON and of the bytes."""

OUT_OF_MEMORY = 71
"""The exit status of a process whose call needed more memory than it may use."""


def packed(content: dict[str, Any], binary: bytes = b"") -> bytes:
    """Return a message. Half characters (surrogates) survive it."""
    text = json.dumps(content, separators=(",", ":")).encode()
    return HEAD.pack(len(text), len(binary)) + text + binary
