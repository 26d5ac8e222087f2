"""POST /webhooks: store an endpoint that is told of the owner's jobs, and return its secret."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals
from shared.web.jobs import IdempotencyKey
from shared.web.webhooks import NewWebhook, WebhookWithSecret, with_secret

app = create_app(Operation.CREATE_WEBHOOK, count_write=write_counter(Operation.CREATE_WEBHOOK))


@app.post("/webhooks", status_code=201, responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict))
async def create_webhook(
    body: NewWebhook, user: CurrentUser, exchange: CurrentExchange, idempotency_key: IdempotencyKey = None
) -> Envelope[WebhookWithSecret]:
    """Create a webhook: a URL that gets a signed request when something happens to one of your jobs.

    Only this response contains the secret that verifies the requests. If it is lost, rotate the secret.
    """
    endpoint, secret = core().webhook_service.create(user, body, idempotency_key=idempotency_key)
    return exchange.success(with_secret(endpoint, secret, core().ports.clock()), Entity.WEBHOOK)


handler = lambda_handler(app, lambda: core().webhook_service)
