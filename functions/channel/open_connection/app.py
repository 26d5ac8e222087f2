"""Route $connect: take a slot of the user for the connection, and store it."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed
from shared.sockets.gate import open_connection


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return open_connection(event, core().connection_registry)
