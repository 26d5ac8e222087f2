"""POST /connection-tickets: return a ticket with which a browser can open a connection of the channel."""

from shared.bootstrap import connection_tickets, core, write_counter
from shared.runtime.settings import ChannelSettings
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser, token_expires_at
from shared.web.connections import CreatedTicket, TicketRequest, connection_until, created_ticket
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals

from fastapi import Request

app = create_app(Operation.CREATE_CONNECTION_TICKET, count_write=write_counter(Operation.CREATE_CONNECTION_TICKET))


@app.post("/connection-tickets", status_code=201, responses=refusals(*AUTHENTICATED, *JSON_BODY))
async def create_connection_ticket(
    body: TicketRequest, user: CurrentUser, exchange: CurrentExchange, request: Request
) -> Envelope[CreatedTicket]:
    """Create a ticket that opens one connection within a minute, unless all connections of the user are open."""
    core().connection_registry.check_free_slot(user)
    until = connection_until(token_expires_at(request), core().ports.clock())
    text, ticket = connection_tickets().issue(user, body.tab, until=until)
    settings = ChannelSettings.read()
    created = created_ticket(text, ticket, settings.channel_url, connections=settings.connections_per_user)
    return exchange.success(created, Entity.CONNECTION_TICKET)


handler = lambda_handler(app, lambda: core().connection_registry)
