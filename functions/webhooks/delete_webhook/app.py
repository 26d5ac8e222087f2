"""DELETE /webhooks/{webhookId}: delete a webhook; nothing more is sent to its URL."""

from shared.bootstrap import core, write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED_BY_KEY, refusals
from shared.web.webhooks import WebhookDeleted, WebhookId

app = create_app(Operation.DELETE_WEBHOOK, count_write=write_counter(Operation.DELETE_WEBHOOK))


@app.delete("/webhooks/{webhookId}", responses=refusals(*OWNED_BY_KEY))
async def delete_webhook(
    webhook_id: WebhookId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[WebhookDeleted]:
    """Delete the webhook. Events that were not delivered yet are not sent. To only stop them, disable it instead."""
    core().webhook_service.delete(user, webhook_id)
    return exchange.success(WebhookDeleted(webhook_id=webhook_id), Entity.WEBHOOK)


handler = lambda_handler(app, lambda: core().webhook_service)
