"""Route $default: say what is wrong with a message that is none of the others."""

from typing import Any

from shared.bootstrap import message_desk
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return message_desk().refuse(event)
