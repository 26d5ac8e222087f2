"""The TCP ports on which processes listen, as Linux knows them, so that no list of servers can leave one out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"


def ports_of(pids: Iterable[int]) -> dict[int, str]:
    """Return each port on which one of these processes listens, with its address in Linux's notation."""
    sockets: set[str] = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # the process has closed it meanwhile
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    sockets.add(target.removeprefix("socket:[").removesuffix("]"))
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTEN and rest[5] in sockets:
                address, port = local.split(":")
                found[int(port, 16)] = address
    return found
