"""GET /me/data/erasures/{erasureId}: return the report of an erasure."""

from shared.bootstrap import core
from shared.errors import NotFound
from shared.web.app import CurrentExchange, create_app, lambda_handler
from shared.web.auth import CurrentUser
from shared.web.envelope import Entity, Envelope, Operation
from shared.web.erasures import ErasureDetail, ErasureId, detail
from shared.web.errors import AUTHENTICATED, refusals

app = create_app(Operation.GET_ERASURE)


@app.get("/me/data/erasures/{erasureId}", responses=refusals(*AUTHENTICATED, NotFound))
async def get_erasure(erasure_id: ErasureId, user: CurrentUser, exchange: CurrentExchange) -> Envelope[ErasureDetail]:
    """Return what has been erased so far, and how long copies last that Millrace cannot erase.

    The report is kept for 30 days after the erasure was completed. It has no data of yours.
    """
    erasure = core().erasure_service.get(user, erasure_id)
    return exchange.success(detail(erasure, core().owner_data), Entity.ERASURE)


handler = lambda_handler(app, lambda: core().erasure_service)
