"""PATCH /agents/{agentId}: store the next version of an agent; existing jobs keep the version that they use."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.agents import AgentChanges, AgentDetail, AgentId, detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import JSON_BODY, OWNED, refusals

app = create_app(Operation.UPDATE_AGENT, count_write=write_counter(Operation.UPDATE_AGENT))


@app.patch(
    "/agents/{agentId}",
    responses=refusals(*OWNED, *JSON_BODY, Conflict),
)
async def update_agent(
    agent_id: AgentId, body: AgentChanges, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[AgentDetail]:
    """Change fields of the agent. This creates its next version; existing jobs keep the version that they use."""
    changes = body.model_dump(by_alias=False, exclude={"version"})
    changed = core().agent_service.update(user, agent_id, changes, expected_version=body.version)
    return exchange.success(detail(changed), Entity.AGENT)


handler = lambda_handler(app, lambda: core().agent_service)
