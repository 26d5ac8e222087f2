"""GET /notebooks/{notebookId}: return a notebook with the jobs that are linked to it."""

from shared.apps.research.bootstrap import notebooks
from shared.apps.research.web import Entity, NotebookDetail, NotebookId, Operation, detail
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import OWNED, refusals

app = create_app(Operation.GET_NOTEBOOK)


@app.get("/notebooks/{notebookId}", responses=refusals(*OWNED))
async def get_notebook(
    notebook_id: NotebookId, user: CurrentUser, exchange: CurrentExchange
) -> Envelope[NotebookDetail]:
    """Return the notebook. Each job is listed from its creation, and its status follows it."""
    return exchange.success(detail(notebooks().get(user, notebook_id)), Entity.NOTEBOOK)


handler = lambda_handler(app, notebooks)
