"""Messages of the queue of deliveries: make one attempt at each."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.batch import Message, handle_messages
from shared.runtime.invocation import observed
from shared.webhooks.delivery import DeliveryRef


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return handle_messages(event, _attempt).response


def _attempt(message: Message) -> str:
    return core().webhook_attempts.attempt(DeliveryRef.from_message(message.body))
