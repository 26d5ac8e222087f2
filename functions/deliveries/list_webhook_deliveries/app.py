"""GET /webhooks/{webhookId}/deliveries: return the deliveries to a webhook, newest event first, in pages."""

from typing import Annotated

from shared.bootstrap import core
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED_BY_KEY, refusals
from shared.web.webhook_deliveries import DeliveryList, page
from shared.web.webhooks import WebhookId
from shared.webhooks.delivery import DeliveryStatus

from fastapi import Query

app = create_app(Operation.LIST_WEBHOOK_DELIVERIES)


@app.get("/webhooks/{webhookId}/deliveries", responses=refusals(*OWNED_BY_KEY))
async def list_webhook_deliveries(
    webhook_id: WebhookId,
    user: CurrentUser,
    exchange: CurrentExchange,
    status: Annotated[DeliveryStatus | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[DeliveryList]:
    """Return the deliveries to a webhook of the last 30 days, newest event first, with their latest attempts.

    Each attempt has the status of the response, or why there was none, and its milliseconds; no body of a response is
    kept.
    """
    found = core().delivery_log.page(user, webhook_id, status=status, limit=limit, cursor=cursor)
    return exchange.success(page(found), Entity.WEBHOOK_DELIVERY_LIST)


handler = lambda_handler(app, lambda: core().delivery_log)
