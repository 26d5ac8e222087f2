"""DELETE /agents/{agentId}: delete an agent; live jobs keep the version that they use."""

from shared.bootstrap import core, write_counter
from shared.web.agents import AgentDeleted, AgentId
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import OWNED, refusals

app = create_app(Operation.DELETE_AGENT, count_write=write_counter(Operation.DELETE_AGENT))


@app.delete("/agents/{agentId}", responses=refusals(*OWNED))
async def delete_agent(agent_id: AgentId, user: CurrentUser, exchange: CurrentExchange) -> Envelope[AgentDeleted]:
    """Delete the agent with all its versions. A repeat gets the same response."""
    core().agent_service.delete(user, agent_id)
    return exchange.success(AgentDeleted(agent_id=agent_id), Entity.AGENT)


handler = lambda_handler(app, lambda: core().agent_service)
