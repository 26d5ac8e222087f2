"""Message `ping`: say how far the client's topics are, and send what it has not received."""

from typing import Any

from shared.bootstrap import core, message_desk
from shared.channel.messages import Ping
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return message_desk().serve(event, Ping, core().pings.answer)
