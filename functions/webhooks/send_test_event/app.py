"""POST /webhooks/{webhookId}/test: send a test event to a webhook."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import BODY, OWNED_BY_KEY, refusals
from shared.web.webhook_deliveries import DeliverySummary, summary
from shared.web.webhooks import WebhookId

app = create_app(Operation.SEND_TEST_EVENT, count_write=write_counter(Operation.SEND_TEST_EVENT))


@app.post("/webhooks/{webhookId}/test", status_code=202, responses=refusals(*OWNED_BY_KEY, *BODY, Conflict))
async def send_test_event(
    webhook_id: WebhookId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[DeliverySummary]:
    """Send an event of the type `webhook.test`, whatever types the webhook has.

    The delivery in the response is not attempted yet. Read it again to see its attempts.
    """
    delivery = core().webhook_trial.send(user, webhook_id)
    return exchange.success(summary(delivery), Entity.WEBHOOK_DELIVERY)


handler = lambda_handler(app, lambda: core().webhook_trial)
