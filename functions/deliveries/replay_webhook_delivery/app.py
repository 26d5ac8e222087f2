"""POST /webhooks/{webhookId}/deliveries/{deliveryId}/replay: send the event of a delivery again."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import BODY, OWNED_BY_KEY, refusals
from shared.web.webhook_deliveries import DeliveryId, DeliverySummary, summary
from shared.web.webhooks import WebhookId

app = create_app(Operation.REPLAY_WEBHOOK_DELIVERY, count_write=write_counter(Operation.REPLAY_WEBHOOK_DELIVERY))


@app.post("/webhooks/{webhookId}/deliveries/{deliveryId}/replay", responses=refusals(*OWNED_BY_KEY, *BODY, Conflict))
async def replay_webhook_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[DeliverySummary]:
    """Send the event again now, with the same `webhook-id` and body, whatever the delivery's status.

    The schedule of attempts begins again. A receiver that has handled the event recognizes it by its id.
    """
    delivery = core().delivery_log.replay(user, webhook_id, delivery_id)
    return exchange.success(summary(delivery), Entity.WEBHOOK_DELIVERY)


handler = lambda_handler(app, lambda: core().delivery_log)
