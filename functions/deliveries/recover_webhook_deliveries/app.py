"""POST /webhooks/{webhookId}/recover: send the events again that did not arrive since a time."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import JSON_BODY, OWNED_BY_KEY, refusals
from shared.web.webhook_deliveries import RecoveryReport, RecoveryRequest, report
from shared.web.webhooks import WebhookId

app = create_app(Operation.RECOVER_WEBHOOK_DELIVERIES, count_write=write_counter(Operation.RECOVER_WEBHOOK_DELIVERIES))


@app.post("/webhooks/{webhookId}/recover", responses=refusals(*OWNED_BY_KEY, *JSON_BODY, Conflict))
async def recover_webhook_deliveries(
    webhook_id: WebhookId, body: RecoveryRequest, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[RecoveryReport]:
    """Send each event since a time again that did not arrive: whose delivery has failed or was discarded.

    One request looks at 200 deliveries. Repeat it with the `cursor` of the response until that is null. An event is not
    sent twice if a request is repeated.
    """
    recovery = core().delivery_log.recover(user, webhook_id, since=body.since, cursor=body.cursor)
    return exchange.success(report(recovery), Entity.WEBHOOK_RECOVERY)


handler = lambda_handler(app, lambda: core().delivery_log)
