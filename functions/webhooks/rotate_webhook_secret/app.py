"""POST /webhooks/{webhookId}/rotate-secret: replace the secret of a webhook, and return the new one."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import JSON_BODY, OWNED_BY_KEY, refusals
from shared.web.webhooks import SecretRotation, WebhookId, WebhookWithSecret, with_secret

app = create_app(Operation.ROTATE_WEBHOOK_SECRET, count_write=write_counter(Operation.ROTATE_WEBHOOK_SECRET))


@app.post("/webhooks/{webhookId}/rotate-secret", responses=refusals(*OWNED_BY_KEY, *JSON_BODY, Conflict))
async def rotate_webhook_secret(
    webhook_id: WebhookId, user: CurrentUser, exchange: CurrentExchange, body: SecretRotation | None = None
) -> Envelope[WebhookWithSecret]:
    """Replace the secret. Requests are signed with both for 24 hours, or for `graceSeconds`.

    Only this response contains the new secret. `secrets` says until when each one before it signs.
    """
    grace_seconds = (body or SecretRotation()).grace_seconds
    endpoint, secret = core().webhook_service.rotate_secret(user, webhook_id, grace_seconds=grace_seconds)
    return exchange.success(with_secret(endpoint, secret, core().ports.clock()), Entity.WEBHOOK)


handler = lambda_handler(app, lambda: core().webhook_service)
