"""POST /notebooks: create a notebook, which jobs can be linked to as their project."""

import time

from shared.apps.research.bootstrap import notebooks
from shared.apps.research.web import Entity, NewNotebook, NotebookDetail, Operation, detail
from shared.bootstrap import write_counter
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Envelope
from shared.web.errors import AUTHENTICATED, JSON_BODY, refusals

app = create_app(Operation.CREATE_NOTEBOOK, count_write=write_counter(Operation.CREATE_NOTEBOOK))


@app.post("/notebooks", status_code=201, responses=refusals(*AUTHENTICATED, *JSON_BODY))
async def create_notebook(body: NewNotebook, user: CurrentUser, exchange: CurrentExchange) -> Envelope[NotebookDetail]:
    """Create a notebook. A job is linked to it when `links.projectId` names it."""
    notebook = notebooks().create(user, body.title, milliseconds=int(time.time() * 1000))
    return exchange.success(detail(notebook), Entity.NOTEBOOK)


handler = lambda_handler(app, notebooks)
