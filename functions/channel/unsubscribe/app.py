"""Message `unsubscribe`: remove the connection's subscription to a topic."""

from typing import Any

from shared.bootstrap import core, message_desk
from shared.channel.messages import Unsubscribe
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return message_desk().serve(event, Unsubscribe, core().catch_up.unsubscribe)
