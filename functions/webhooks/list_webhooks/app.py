"""GET /webhooks: return all webhooks of the owner, newest first."""

from shared.bootstrap import core
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, refusals
from shared.web.webhooks import WebhookList, detail

app = create_app(Operation.LIST_WEBHOOKS)


@app.get("/webhooks", responses=refusals(*AUTHENTICATED))
async def list_webhooks(user: CurrentUser, exchange: CurrentExchange) -> Envelope[WebhookList]:
    """Return all your webhooks, newest first. A user may have 20, so there are no pages."""
    now = core().ports.clock()
    found = tuple(detail(each, now) for each in core().webhook_service.list_webhooks(user))
    return exchange.success(WebhookList(webhooks=found), Entity.WEBHOOK_LIST)


handler = lambda_handler(app, lambda: core().webhook_service)
