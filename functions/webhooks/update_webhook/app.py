"""PATCH /webhooks/{webhookId}: change the settings of a webhook, disable it or enable it again."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import JSON_BODY, OWNED_BY_KEY, refusals
from shared.web.webhooks import WebhookChanges, WebhookDetail, WebhookId, detail

app = create_app(Operation.UPDATE_WEBHOOK, count_write=write_counter(Operation.UPDATE_WEBHOOK))


@app.patch("/webhooks/{webhookId}", responses=refusals(*OWNED_BY_KEY, *JSON_BODY, Conflict))
async def update_webhook(
    webhook_id: WebhookId, body: WebhookChanges, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[WebhookDetail]:
    """Change fields of the webhook. Events that are already on their way go to its new URL."""
    changes = body.model_dump(by_alias=False, exclude={"version"})
    changed = core().webhook_service.update(user, webhook_id, changes, expected_version=body.version)
    return exchange.success(detail(changed, core().ports.clock()), Entity.WEBHOOK)


handler = lambda_handler(app, lambda: core().webhook_service)
