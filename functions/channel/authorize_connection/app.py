"""Authorizer of the channel: let a client connect that has a valid token or ticket."""

from typing import Any

from shared.bootstrap import connection_gate
from shared.runtime import event_loop
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return event_loop.run(connection_gate().authorize(event))
