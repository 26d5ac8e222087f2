"""Make a package valid whose engine has written characters that XML cannot have."""

from __future__ import annotations

import os
import re
import zipfile

_INVALID = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")


def escape_invalid(path: str) -> None:
    """Write characters that XML cannot have as spreadsheet programs do, such as `_x0001_`, in all parts of a file."""
    with zipfile.ZipFile(path) as package:
        if not any(_INVALID.search(package.read(part)) for part in package.infolist()):
            return
        cleaned = f"{path}.escaped"
        with zipfile.ZipFile(cleaned, "w", zipfile.ZIP_DEFLATED) as target:
            for part in package.infolist():
                target.writestr(part.filename, _INVALID.sub(_escaped, package.read(part)))
    os.replace(cleaned, path)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"_x%04X_" % ord(found[0].decode())
