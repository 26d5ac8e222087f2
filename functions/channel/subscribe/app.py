"""Message `subscribe`: send what the client has missed of a topic, and subscribe its connection to it."""

from typing import Any

from shared.bootstrap import core, message_desk
from shared.channel.messages import Subscribe
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return message_desk().serve(event, Subscribe, core().catch_up.subscribe)
