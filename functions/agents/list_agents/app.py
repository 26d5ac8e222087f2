"""GET /agents: return the owner's agents, newest first, in pages."""

from typing import Annotated

from shared.bootstrap import core
from shared.web.agents import AgentList, page
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, refusals

from fastapi import Query

app = create_app(Operation.LIST_AGENTS)


@app.get("/agents", responses=refusals(*AUTHENTICATED))
async def list_agents(
    user: CurrentUser,
    exchange: CurrentExchange,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
) -> Envelope[AgentList]:
    """Return your agents, newest first, each in its latest version."""
    agents = core().agent_service
    found = page(lambda most: agents.list_agents(user, limit=most, cursor=cursor), limit)
    return exchange.success(found, Entity.AGENT_LIST)


handler = lambda_handler(app, lambda: core().agent_service)
