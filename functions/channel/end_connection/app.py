"""Route $disconnect: remove the connection, its subscriptions and its slot."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed
from shared.sockets.events import connection_id_of


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    core().connection_registry.remove(connection_id_of(event))
    return {"statusCode": 200}
