"""POST /agents: store the first version of an agent of the owner."""

from shared.bootstrap import core, write_counter
from shared.errors import Conflict
from shared.web.agents import AgentDetail, NewAgent, detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals

app = create_app(Operation.CREATE_AGENT, count_write=write_counter(Operation.CREATE_AGENT))


@app.post(
    "/agents",
    status_code=201,
    responses=refusals(*AUTHENTICATED, *JSON_BODY, Conflict),
)
async def create_agent(body: NewAgent, user: CurrentUser, exchange: CurrentExchange) -> Envelope[AgentDetail]:
    """Create an agent. Jobs use it when their input names its id as `agentId`."""
    return exchange.success(detail(core().agent_service.create(user, body)), Entity.AGENT)


handler = lambda_handler(app, lambda: core().agent_service)
