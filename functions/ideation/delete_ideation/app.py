"""DELETE /ideations/{runId}: delete a run with everything in it, and cancel its job if the job is live."""

from shared.apps.ideation.bootstrap import run_deletion
from shared.apps.ideation.operations import Operation
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope
from shared.web.errors import OWNED, refusals
from shared.web.run_id import RunDeleted, RunId

app = create_app(Operation.DELETE_IDEATION, count_write=write_counter(Operation.DELETE_IDEATION))


@app.delete("/ideations/{runId}", responses=refusals(*OWNED))
async def delete_ideation(run_id: RunId, user: CurrentUser, exchange: CurrentExchange) -> Envelope[RunDeleted]:
    """Delete the run permanently, and cancel its job if the job is live."""
    run_deletion().delete(user, run_id)
    return exchange.success(RunDeleted(run_id=run_id), Entity.RUN)


handler = lambda_handler(app, run_deletion)
