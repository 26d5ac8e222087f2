"""GET /agents/{agentId}: return one version of an agent, by default the latest."""

from typing import Annotated

from shared.bootstrap import core
from shared.web.agents import AgentDetail, AgentId, detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals

from fastapi import Query

app = create_app(Operation.GET_AGENT)
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="the agent's version; omit it to get the latest")]


@app.get("/agents/{agentId}", responses=refusals(*OWNED))
async def get_agent(
    agent_id: AgentId, user: CurrentUser, exchange: CurrentExchange, version: Version = None
) -> Envelope[AgentDetail]:
    """Return the agent in its latest version, or in the version that `version` names."""
    return exchange.success(detail(core().agent_service.get(user, agent_id, version=version)), Entity.AGENT)


handler = lambda_handler(app, lambda: core().agent_service)
