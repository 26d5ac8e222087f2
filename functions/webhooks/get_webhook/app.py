"""GET /webhooks/{webhookId}: return one webhook of the owner."""

from shared.bootstrap import core
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED_BY_KEY, refusals
from shared.web.webhooks import WebhookDetail, WebhookId, detail

app = create_app(Operation.GET_WEBHOOK)


@app.get("/webhooks/{webhookId}", responses=refusals(*OWNED_BY_KEY))
async def get_webhook(webhook_id: WebhookId, user: CurrentUser, exchange: CurrentExchange) -> Envelope[WebhookDetail]:
    """Return the webhook, without its secret."""
    found = core().webhook_service.get(user, webhook_id)
    return exchange.success(detail(found, core().ports.clock()), Entity.WEBHOOK)


handler = lambda_handler(app, lambda: core().webhook_service)
