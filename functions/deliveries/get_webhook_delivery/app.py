"""GET /webhooks/{webhookId}/deliveries/{deliveryId}: return one delivery with the body that is sent."""

from shared.bootstrap import core
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED_BY_KEY, refusals
from shared.web.webhook_deliveries import DeliveryDetail, DeliveryId, detail
from shared.web.webhooks import WebhookId

app = create_app(Operation.GET_WEBHOOK_DELIVERY)


@app.get("/webhooks/{webhookId}/deliveries/{deliveryId}", responses=refusals(*OWNED_BY_KEY))
async def get_webhook_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[DeliveryDetail]:
    """Return one delivery with its latest attempts, and with the body that every attempt sends."""
    delivery, body = core().delivery_log.one(user, webhook_id, delivery_id)
    return exchange.success(detail(delivery, body), Entity.WEBHOOK_DELIVERY)


handler = lambda_handler(app, lambda: core().delivery_log)
