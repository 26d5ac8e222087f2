"""Send a file with the form of an upload, as a browser does."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from tests.patience import PATIENCE

BOUNDARY = "form-boundary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(fields: Mapping[str, str], content: bytes | None) -> bytes:
    """Return the body of a form with these fields and, unless it is None, the file behind them."""
    parts = [_part(f'name="{name}"', value.encode()) for name, value in fields.items()]
    if content is not None:
        parts.append(_part('name="file"; filename="file"', content))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post_form(url: str, fields: Mapping[str, str], content: bytes | None) -> tuple[int, str]:
    """Send the form, and return the status and the body of the response."""
    request = urllib.request.Request(url, data=multipart(fields, content), headers={"Content-Type": TYPE})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def _part(head: str, content: bytes) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
